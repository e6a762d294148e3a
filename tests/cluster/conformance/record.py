"""Record the answers of a real API server: `python -m tests.cluster.conformance.record [CHAPTER ...]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.cluster.conformance import recording, tour
from tests.cluster.conformance.exchange import chapters
from tests.cluster.conformance.runner import Target
from tests.cluster.control_plane import BARE, ControlPlane, control_plane


def target_of(plane: ControlPlane) -> Target:
    """Return the API server of a control plane as something to make exchanges with."""
    tokens = {role: user.token for role, user in plane.users.items()}
    return Target(plane.server, tokens, plane.authority, plane.grant_executor)


def main(names: list[str]) -> int:
    """Record the named chapters, or all; print one line for each."""
    with tempfile.TemporaryDirectory() as folder, control_plane(Path(folder) / "plane", BARE) as plane:
        for chapter in chapters():
            if not names or chapter.name in names:
                answers = recording.answers(chapter, target_of(plane))
                recording.write(chapter, answers)
                print(f"{chapter.name}: {len(answers)} exchanges", flush=True)
        if not names or "tour" in names:
            outputs = tour.run(target_of(plane), Path(folder))
            tour.write(outputs)
            print(f"tour: {len(outputs)} kubectl commands", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
