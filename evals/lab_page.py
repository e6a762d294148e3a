"""The page about the lab: how to use it, and every fault and non-fault, from their declarations."""

from itertools import groupby
from typing import Any

from copilot.diagnosis.diagnose import catalogue
from copilot.registry import entries

_HEAD = """# The lab

A simulated GPU cluster on loopback that breaks. It needs nothing but the installed package, speaks the Kubernetes API
([what of it](lab-kube-api.md), [held to the real server](conformance.md)), the Prometheus API ([what of it](promql.md))
and the AWS calls that the product makes, writes a kubeconfig of its own, and never reads yours or touches another
cluster. This page is generated from the declarations in `copilot/lab/faults` and `copilot/lab/nonfaults`.

## Use it

`infra-copilot lab up` answers within three seconds and runs until ctrl+c; its 24 hours of history are made meanwhile,
once per seed. Everything else reaches it with `-e lab`:

```console
infra-copilot lab faults
infra-copilot check -e lab
infra-copilot ask -e lab "who uses the GPUs?"
```

| to | add to `lab up` |
|---|---|
| break something | `--fault NAME`, and `--after 2m` (of its time; 30s without) |
| make time pass faster | `--speed 20`: twenty seconds of its time each second |
| get another world | `--seed 7`: other names, namespaces, machines, targets and noise |
| start sooner, with less to learn from | `--history 2h` |
| have history for forecasts | `--history 14d` |
| let demand grow within two hours | `--demand shop=3` (`shop`, `assistant` or `bulk`) |
| find it at a fixed address | `--port 6443`: Kubernetes there, Prometheus on the next one |
| script it | `--json`: one object with the addresses |

`kubectl` works as on any cluster; the file has three contexts, `reader`, `executor` and `admin`:

    export KUBECONFIG=~/.local/state/infra-copilot/lab/kubeconfig
    kubectl --context reader get pods -A -o wide

`infra-copilot demo --fault NAME` plays one incident from fault to verified fix and ends; `demo --seed N` does it in
another world.

## What it is

A causal simulation with a clock of its own: a web shop and a retrieval-augmented assistant with call graphs, a
database, a cache and a queue; inference services that behave like vLLM, in two tiers; a gang training job with
checkpoints; batch jobs; CPU nodes and GPU nodes of mixed kinds on a fabric; daily and weekly traffic with bursts.
Symptoms follow from causes: queueing makes latency, a full KV cache makes preemption makes a late first token, heat
lowers clocks makes a straggler makes a slow gang. **A fault may only change a cause; nothing writes a symptom**, and
nothing that judges can see which fault it was (the import contracts hold that).
"""
_NONFAULTS = """## Non-faults

What an engineer would leave alone, and so must the copilot: the right answer is *no fault*, no case and no change.

| name | what happens |
|---|---|
"""


def page() -> str:
    """Return the whole page as Markdown."""
    faults: list[Any] = sorted(entries("copilot.lab.faults", "FAULT"), key=lambda f: (f.family, f.name))
    nonfaults: list[Any] = sorted(entries("copilot.lab.nonfaults", "NONFAULT"), key=lambda f: f.name)
    causes = {cause.name for cause in catalogue()}
    parts = [
        _HEAD,
        f"## Faults\n\n{len(faults)} of them. A name that is a link is the cause that diagnosis should name.\n",
    ]
    for family, some in groupby(faults, key=lambda f: f.family):
        rows = "\n".join(f"| {_named(f.name, causes)} | {f.summary} |" for f in some)
        parts.append(f"### {family}\n\n| name | what happens |\n|---|---|\n{rows}\n")
    parts.append(_NONFAULTS + "\n".join(f"| `{f.name}` | {f.summary} |" for f in nonfaults) + "\n")
    return "\n".join(parts)


def _named(name: str, causes: set[str]) -> str:
    return f"[`{name}`](causes.md#{name})" if name in causes else f"`{name}`"
