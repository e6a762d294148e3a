"""A tour with stock kubectl: the same command lines on two servers must print the same, ages and identities masked."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.cluster import credentials
from tests.cluster.conformance.exchange import HERE, Chapter, given_objects
from tests.cluster.conformance.runner import Target, prepare

NAMESPACE = "c-tour"
RECORDING = HERE / "recorded" / "tour.json"
KUBECTL = Path(sys.executable).parent / "kubectl"

_WORDS = (
    # The value of a field in YAML or JSON first; then times and ages as tables and descriptions print them.
    (re.compile(r'("?(?:uid|resourceVersion|clusterIP|controller-uid)"?: )"?[\w.-]+"?'), r"\1<masked>"),
    (re.compile(r"\bkube-api-access-[a-z0-9]{5}\b"), "kube-api-access-<suffix>"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "<time>"),
    (re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}"), "<time>"),
    (re.compile(r"(?<![=\w.])(\d+[dhy](\d+[dhms])?|\d+m\d+s|\d+s)\b"), "<age>"),
    (re.compile(r"\b10\.\d+\.\d+\.\d+\b"), "<ip>"),
    (re.compile(r"https://127\.0\.0\.1:\d+"), "<server>"),
    (re.compile(r'User "[^"]*"'), 'User "<user>"'),
    # Ages have different widths, and so have the gaps beside them.
    (re.compile(r"(?<=\S) {2,}"), "  "),
    (re.compile(r" +$", re.MULTILINE), ""),
    (re.compile(r"-{4,}"), "----"),
)


@dataclass(frozen=True)
class Command:
    """One kubectl command line and whose credentials it runs with."""

    role: str
    line: str

    @property
    def id(self) -> str:
        """The name that the recording and the tests know it by, without its place in the tour."""
        return f"{self.role}: kubectl {self.line}"


def commands() -> list[Command]:
    """Return the command lines in order."""
    document = _document()
    return [Command("admin", line) for line in document["commands"]] + [
        Command("reader", line) for line in document["as_reader"]
    ]


def run(target: Target, folder: Path) -> list[dict[str, Any]]:
    """Run the tour against `target`, with kubectl's files in `folder`; return exit status and masked output of each."""
    chapter = Chapter("tour", "", tuple(given_objects(_document()["given"])), ())
    with httpx.Client(base_url=target.server, verify=target.verify, timeout=30, trust_env=False) as http:
        prepare(chapter, target, http)
    return [_kubectl(command, target, folder) for command in commands()]


def read() -> list[dict[str, Any]]:
    """Return the recorded outputs in the order of the commands."""
    recorded: list[dict[str, Any]] = json.loads(RECORDING.read_text())
    return recorded


def write(outputs: list[dict[str, Any]]) -> None:
    """Record the outputs."""
    RECORDING.write_text(json.dumps(outputs, indent=1, ensure_ascii=False) + "\n")


def masked(text: str) -> str:
    """Return kubectl's output without what two servers cannot share."""
    for pattern, replacement in _WORDS:
        text = pattern.sub(replacement, text)
    return text


def _kubectl(command: Command, target: Target, folder: Path) -> dict[str, Any]:
    kubeconfig = folder / f"{command.role}.kubeconfig"
    user = credentials.User(command.role, command.role, (), target.tokens[command.role])
    credentials.write_kubeconfig(kubeconfig, user, server=target.server, authority=target.authority)
    common = ["--kubeconfig", str(kubeconfig), "--cache-dir", str(folder / "cache"), "--namespace", NAMESPACE]
    argv = [str(KUBECTL), *common, *shlex.split(command.line)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    errors = "\n".join(line for line in done.stderr.splitlines() if not re.match(r"[IWE]\d{4} ", line))
    return {"command": command.id, "exit": done.returncode, "out": masked(done.stdout), "err": masked(errors)}


def _document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((HERE / "tour.yaml").read_text())
    return document
