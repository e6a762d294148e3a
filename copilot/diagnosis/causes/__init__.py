"""The catalogue of causes, one family per file."""
