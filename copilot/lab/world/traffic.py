"""Demand from outside: a day, a week, bursts, and what the users ask of the language models."""

import math
import random
from datetime import timedelta

import numpy as np

_DAY = 86400.0
_LAG = 240.0


class Traffic:
    """Requests per second at each entrance as time goes on.

    ``factor`` scales an entrance for causes such as a campaign; token means follow published shapes of LLM traces:
    prompts of about a thousand tokens, answers of a few hundred.
    """

    def __init__(self, rng: random.Random, noise: np.random.Generator) -> None:
        self.noise = noise
        self.base = {
            "shop": rng.uniform(55, 80),
            "assistant": rng.uniform(3.2, 4.0),
            "bulk": rng.uniform(0.35, 0.5),
        }
        self.factor = dict.fromkeys(self.base, 1.0)
        self.prompt = {"assistant": rng.uniform(1000, 1300), "bulk": rng.uniform(2600, 3200)}
        self.output = {"assistant": rng.uniform(190, 240), "bulk": rng.uniform(320, 420)}
        self.context = 1.0
        self._moving: dict[str, tuple[float, float]] = {}
        self._peak = rng.uniform(13.5, 16.5) * 3600
        self._depth = {"shop": 0.38, "assistant": 0.25, "bulk": 0.08}
        self._weekend = {"shop": 1.12, "assistant": 0.75, "bulk": 0.85}
        self._drift = dict.fromkeys(self.base, 0.0)
        self._burst_until = 0.0
        self._burst = 1.0

    def step(self, now: float, dt: float) -> dict[str, float]:
        """Advance by ``dt`` seconds and return requests per second by entrance."""
        self._bursts(now, dt)
        for name, (factor, lag) in self._moving.items():
            self.factor[name] += (factor - self.factor[name]) * (1 - math.exp(-dt / lag))
        rates = {}
        keep = math.exp(-dt / _LAG)
        for name, base in self.base.items():
            self._drift[name] = self._drift[name] * keep + self.noise.normal(0, 0.035 * math.sqrt(1 - keep**2))
            burst = self._burst if name == "shop" else 1.0
            wave = base * self.season(name, now) * (1 + self._drift[name]) * burst
            rates[name] = wave * self.factor[name]
        return rates

    def prompt_tokens(self, name: str) -> float:
        """Mean prompt length at an entrance; retrieved context makes up four fifths of the assistant's."""
        return self.prompt[name] * (0.2 + 0.8 * self.context if name == "assistant" else 1.0)

    def output_tokens(self, name: str) -> float:
        """Mean answer length at an entrance; more documents in the prompt make longer answers."""
        return self.output[name] * (0.7 + 0.3 * self.context if name == "assistant" else 1.0)

    def move(self, name: str, factor: float, *, over: timedelta) -> None:
        """Let the demand at an entrance move to ``factor`` times the usual within about ``over``."""
        self._moving[name] = (factor, max(over.total_seconds() / 3, 1.0))

    def season(self, name: str, now: float) -> float:
        """Daily and weekly factor around 1 at a moment."""
        phase = 2 * math.pi * ((now % _DAY) - self._peak) / _DAY
        daily = 1 + self._depth[name] * (0.85 * math.cos(phase) + 0.15 * math.cos(2 * phase))
        weekday = int(now // _DAY + 4) % 7
        return daily * (self._weekend[name] if weekday in (0, 6) else 1.0)

    def _bursts(self, now: float, dt: float) -> None:
        if now > self._burst_until:
            self._burst = 1.0
            if self.noise.random() < dt / (5 * 3600):
                self._burst = 1 + self.noise.uniform(0.08, 0.22)
                self._burst_until = now + self.noise.uniform(120, 420)
