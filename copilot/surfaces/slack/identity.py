"""Who pressed: Slack's user and workspace ids mapped to roles; everybody else is refused.

A display name says nothing about identity, so none is ever looked at. Guests, bots and other workspaces are refused
even when somebody mapped them.
"""

from collections.abc import Mapping
from typing import Any

from copilot.errors import Forbidden

VIEWER = "viewer"
"""A role that may ask, look and stop everything; the policy lets it decide nothing."""


class Roles:
    """The mapping ``TEAM/USER -> role`` for one workspace; ``others`` is the role of its members who are not listed."""

    def __init__(self, roles: Mapping[str, str], *, team: str, others: str = "") -> None:
        self._roles = dict(roles)
        self._team = team
        self._others = others

    def role(self, *, team: str, user: str, profile: Mapping[str, Any]) -> str:
        """Return the role of a user; raises ``Forbidden`` with what to do about it.

        ``profile`` is the ``user`` object of Slack's ``users.info``.
        """
        if team != self._team:
            raise Forbidden("This workspace has no say here.", hint="Ask in the workspace the app is installed in.")
        for mark in ("is_bot", "is_restricted", "is_ultra_restricted", "is_stranger", "deleted", "is_app_user"):
            if profile.get(mark):
                raise Forbidden("Guests, bots and outside users have no say here.", hint="Ask a member of the team.")
        role = self._roles.get(f"{team}/{user}", self._others)
        if not role:
            raise Forbidden(
                f"Slack user {user} has no role.",
                hint=f'Add "{team}/{user}" = "{VIEWER}" (to ask) or "operator" to [slack_roles] in config.toml.',
            )
        return role


def actor(team: str, user: str) -> str:
    """Return the name under which a Slack user's decisions are kept."""
    return f"slack:{team}/{user}"
