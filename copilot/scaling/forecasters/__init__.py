"""One forecaster per file, each exposing ``FORECASTER``; found by the registry."""
