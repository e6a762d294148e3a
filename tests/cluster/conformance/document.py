"""Write `docs/conformance.md` from the data: `python -m tests.cluster.conformance.document`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tests.cluster.conformance.compare import Difference, differences
from tests.cluster.conformance.exchange import Chapter, chapters
from tests.cluster.programs import HERE, KUBERNETES

PAGE = HERE.parent.parent / "docs" / "conformance.md"

_TOP = f"""\
# The lab's Kubernetes API, held to the real one

This page is generated (`python -m tests.cluster.conformance.document`). The lab answers the exchanges below as
kube-apiserver {KUBERNETES} does: status code, media type and every field of the body, with identities (uid,
resourceVersion), times, paging tokens and managedFields masked; identities keep their meaning, so a write that changes
nothing must keep the version on both. `make test` compares the lab with answers recorded from the real server;
`make test-cluster` starts the real server and checks that the recording is still what it says.
"""
_DIFFERENCES = """
## Where the lab differs on purpose

Nothing else may differ: a mismatch that no row covers fails the test, and so does a row that no exchange needs.

| what | exchanges | field | why |
|---|---|---|---|
"""


def page() -> str:
    """Return the page as Markdown."""
    every = chapters()
    total = sum(len(_compared(chapter)) for chapter in every)
    methods = Counter(name.split()[0] for chapter in every for name in _requests(chapter))
    counted = ", ".join(f"{count} {method}" for method, count in methods.most_common())
    head = f"\n## The {total} exchanges\n\n{counted}.\n\n| chapter | exchanges | about |\n|---|---|---|\n"
    rows = "".join(f"| {chapter.name} | {len(_compared(chapter))} | {chapter.about} |\n" for chapter in every)
    meant = "".join(_row(each) for each in differences())
    return f"{_TOP}{head}{rows}{_DIFFERENCES}{meant}{''.join(_listing(chapter) for chapter in every)}"


def main() -> int:
    """Write the page."""
    Path(PAGE).parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
    return 0


def _row(difference: Difference) -> str:
    return f"| {difference.title} | `{difference.exchange}` | `{difference.path}` | {difference.reason} |\n"


def _listing(chapter: Chapter) -> str:
    lines = "".join(f"- {each.name}: `{each.method} {each.path}`\n" for each in chapter.exchanges if each.compared)
    return f"\n### {chapter.name}\n\n{lines}"


def _compared(chapter: Chapter) -> list[str]:
    return [each.id for each in chapter.exchanges if each.compared]


def _requests(chapter: Chapter) -> list[str]:
    return [f"{each.method} {each.path}" for each in chapter.exchanges if each.compared]


if __name__ == "__main__":
    sys.exit(main())
