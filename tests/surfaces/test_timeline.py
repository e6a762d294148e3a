"""Of many changes around a case, the ones that explain it are shown."""

from datetime import UTC, datetime, timedelta

from rich.console import Console

from copilot.core.case import TimelineEntry
from copilot.core.ref import Ref
from copilot.surfaces.cards import timeline_table

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
CART = Ref(kind="Deployment", namespace="shop", name="cart")


def entry(minute: int, what: str, about: Ref | None) -> TimelineEntry:
    return TimelineEntry(at=START + timedelta(minutes=minute), what=what, object=about)


def shown(*entries: TimelineEntry) -> list[str]:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(timeline_table(entries, about=CART))
    return captured.get().splitlines()


def test_a_release_is_not_hidden_by_what_happened_elsewhere_since() -> None:
    release = entry(0, "cart revision 2: shop/cart:2", CART)
    noise = [
        entry(n, "Killing: Stopping container", Ref(kind="Pod", namespace="shop", name=f"x-{n}")) for n in range(1, 60)
    ]
    approved = entry(61, "Approved by ann", None)
    lines = shown(*noise, release, approved)
    assert "41 changes not shown" in lines[0]
    assert "cart revision 2" in lines[1]
    assert "Approved by ann" in lines[-1]
    assert "12:59" in lines[-2], "the rest are the newest"
    assert len(lines) == 21


def test_few_changes_are_all_shown_in_order() -> None:
    lines = shown(entry(2, "second", CART), entry(1, "first", None))
    assert [line.split()[1] for line in lines] == ["first", "second"]
