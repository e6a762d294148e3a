"""The closed set of changes: one file each, pure; an action is revived from data, checked, and rendered."""

from copilot.actions.base import Action, Seen, revive

__all__ = ["Action", "Seen", "revive"]
