"""Where people meet the copilot, beside the terminal: Slack, HTTP, reports."""
