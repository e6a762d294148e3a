"""Plug-ins found by looking into a folder: adding a thing is adding a file.

A plug-in module exposes one module-level name that the kind prescribes (``CAUSES``, ``RUNBOOK``, ``DETECTOR``,
``ACTION``, ``QUESTION``, ``FORECASTER``, ``FAULT``, ``EXAM``); modules without it, and private ones, are not plug-ins.
"""

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from copilot.errors import ConfigError


@cache
def modules(package: str) -> tuple[ModuleType, ...]:
    """Import every public module of a package (not recursively), in alphabetical order."""
    root = importlib.import_module(package)
    names = sorted(m.name for m in pkgutil.iter_modules(root.__path__) if not m.name.startswith("_"))
    return tuple(importlib.import_module(f"{package}.{name}") for name in names)


@cache
def entries(package: str, name: str) -> tuple[object, ...]:
    """Return the plug-ins of a package: the value called ``name`` of each module that has one, tuples flattened.

    Raises ``ConfigError`` when two plug-ins have the same ``name`` attribute.
    """
    found: list[object] = []
    for module in modules(package):
        value = getattr(module, name, None)
        if value is not None:
            found.extend(value if isinstance(value, tuple | list) else (value,))
    _check_unique(package, found)
    return tuple(found)


def _check_unique(package: str, found: list[object]) -> None:
    seen: set[str] = set()
    for one in found:
        label = str(getattr(one, "name", id(one)))
        if label in seen:
            raise ConfigError(
                f"{package}: two plug-ins are called {label!r}.", hint="Rename one of the two files' entries."
            )
        seen.add(label)
