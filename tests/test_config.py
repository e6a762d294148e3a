"""Settings that tests of commands do not reach."""

import os
import pwd

import pytest

from copilot.config import user_name


def test_a_person_is_who_owns_the_process_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = pwd.getpwuid(os.getuid()).pw_name
    for name in ("USER", "LOGNAME"):
        monkeypatch.setenv(name, "somebody-else")
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert user_name() == owner
    monkeypatch.setenv("SUDO_USER", "ann")
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert user_name() != "ann", "only root was started by sudo"
