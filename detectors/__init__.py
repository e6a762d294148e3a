"""Detectors: incremental state machines over panels of series, one per file."""
