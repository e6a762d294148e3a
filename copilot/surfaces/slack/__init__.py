"""The Slack bot: a thread per case, decisions as buttons, identity mapped to roles."""

SCOPES = frozenset(
    ("app_mentions:read", "chat:write", "commands", "files:write", "im:history", "im:write", "users:read")
)
"""What the bot asks for; the same list stands in ``deploy/slack/manifest.yaml``."""
