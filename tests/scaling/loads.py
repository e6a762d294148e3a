"""Loads to test on: a daily wave with noise, a level shift, a ramp."""

import numpy as np

from copilot.core.series import Float64

DAY = 1440


def wave(days: float, *, seed: int = 0, mean: float = 1000.0, noise: float = 0.03, day: int = DAY) -> Float64:
    """Return a load with one peak a day (four times the night's level) and multiplicative noise."""
    t = np.arange(round(days * day))
    draw = np.random.default_rng(seed)
    shape = np.exp(0.7 * np.sin(2 * np.pi * t / day))
    return np.asarray(mean * shape / shape.mean() * np.exp(draw.normal(0, noise, t.size)))
