"""Infra copilot: finds the cause, proposes the exact change, verifies it on the metric that hurt."""

__version__ = "0.1.0"
