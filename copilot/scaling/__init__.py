"""Forecasts and the advice drawn from them."""
