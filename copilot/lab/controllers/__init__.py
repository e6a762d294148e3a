"""The lab's control plane: one file per controller, driven by the object store's change log."""

from copilot.lab.controllers.control import ControllerSet

__all__ = ["ControllerSet"]
