"""Frozen values that flow through the product; imports nothing else of it."""
