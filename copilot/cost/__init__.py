"""Prices, allocation, energy and carbon."""
