"""From what was seen to the named cause, without a model."""
