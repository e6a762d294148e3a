"""Whether a screen is still there to be drawn on."""

from textual.screen import Screen


def on_stage(screen: Screen[None]) -> bool:
    """Return whether a screen may be drawn: what was awaited may come after it was left, or the chat was."""
    return screen.is_attached and screen in screen.app.screen_stack
