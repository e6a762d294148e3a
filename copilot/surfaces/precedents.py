"""Similar past cases as lines: what it was, what was done, whether it worked. Precedent, never proof."""

from collections.abc import Iterable, Iterator

from rich.text import Text

from copilot.core.case import Precedent
from copilot.core.text import in_words, one_line


def told(one: Precedent) -> str:
    """Return a precedent as one line, inert."""
    what = in_words(one.cause) or one_line(one.title, 80)
    where = f" on {one.object}" if one.object else ""
    like = f" ({', '.join(one_line(a, 80) for a in one.alike)})" if one.alike else ""
    return f"{one.at:%Y-%m-%d} {one.case}: {what}{where}{like}; {_ended(one)}"


def _ended(one: Precedent) -> str:
    if one.done:
        return f"done: {one_line(one.done, 120)}, helped {one.helped} of {one.tried}"
    return f"nothing was changed; {one_line(one.outcome, 120)}" if one.outcome else "nothing was changed"


def precedent_lines(found: Iterable[Precedent]) -> Iterator[Text]:
    """Yield a heading and a line for each precedent; nothing when there is none."""
    for index, one in enumerate(found):
        if not index:
            yield Text("\nseen before (precedent, not proof)", style="bold")
        yield Text(f"  {told(one)}")
