"""The Slack bot: a thread per case, decisions as buttons, identity mapped to roles."""
