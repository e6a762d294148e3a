"""Tests of copilot.execution."""
