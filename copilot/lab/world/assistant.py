"""The retrieval-augmented assistant, its two LLM tiers, and the research team's training jobs."""

import random

from copilot.lab.world.blueprint import Call, Workload
from copilot.lab.world.images import GIB, MIB, App
from copilot.lab.world.names import Names
from copilot.lab.world.shop import releases

GPU_TAINT = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
MIG_PROFILE = "1g.10gb"


def assistant(names: Names, rng: random.Random) -> tuple[Workload, ...]:
    """Return the assistant's workloads, callers first."""
    space = names.assistant

    def call(role: str, timeout: float, per_request: float = 1.0) -> Call:
        return Call(f"{space}/{names[role]}", f"{role.upper()}_URL", per_request, timeout)

    api = Workload(
        names["assistant"],
        space,
        App(work=0.015, cpu=0.02, threads=256, memory=420 * MIB, startup=14.0),
        releases(names, rng, f"{space}/{names['assistant']}"),
        replicas=3,
        cpu=(1.5, 2.0),
        memory=(768 * MIB, 1024 * MIB),
        calls=(call("embedding", 2.0), call("vector", 2.0), call("rerank", 2.0), call("interactive", 60.0)),
        env={"RETRIEVED_CHUNKS": "8"},
        budget=True,
    )
    summarizer = Workload(
        names["summarizer"],
        space,
        App(role="worker", work=0.05, cpu=0.02, threads=256, memory=220 * MIB),
        releases(names, rng, f"{space}/{names['summarizer']}"),
        replicas=1,
        cpu=(1.0, 2.0),
        calls=(call("batch", 300.0),),
    )
    return (api, summarizer, *_retrieval(names, rng), *_language_models(names, rng))


def _retrieval(names: Names, rng: random.Random) -> tuple[Workload, ...]:
    space = names.assistant
    slice_ = {f"nvidia.com/mig-{MIG_PROFILE}": 1}

    def encoder(role: str, work: float) -> Workload:
        return Workload(
            names[role],
            space,
            App(work=work, cpu=0.004, threads=8, memory=2.6 * GIB, startup=35.0),
            releases(names, rng, f"{space}/{names[role]}"),
            replicas=2,
            cpu=(1.0, 4.0),
            memory=(4 * GIB, 6 * GIB),
            pool="mig",
            gpus=slice_,
            tolerations=(GPU_TAINT,),
        )

    vector = Workload(
        names["vector"],
        space,
        App(listens=(6333,), work=0.028, cpu=0.03, threads=16, memory=5.2 * GIB, startup=25.0),
        releases(names, rng, f"{space}/{names['vector']}"),
        replicas=2,
        kind="StatefulSet",
        port=6333,
        service_port=6333,
        cpu=(1.0, 3.0),
        memory=(6 * GIB, 8 * GIB),
        pool="data",
        claim="100Gi",
    )
    return (encoder("embedding", 0.02), vector, encoder("rerank", 0.07))


def engine_args(model: str, *, long: bool) -> tuple[str, ...]:
    """Return vLLM's arguments for one service; the batch tier takes longer prompts."""
    return (
        f"--model={model}",
        "--gpu-memory-utilization=0.90",
        f"--max-model-len={32768 if long else 16384}",
        f"--max-num-seqs={96 if long else 128}",
        "--port=8000",
    )


def _language_models(names: Names, rng: random.Random) -> tuple[Workload, ...]:
    published = releases(names, rng, "vllm/vllm-openai")

    def service(role: str, tier: str, model: str, replicas: int) -> Workload:
        app = App("vllm", (8000,), ("/health",), 95.0, 0.002, 0.004, 0.6, 512, 14 * GIB, 0.5 * MIB)
        return Workload(
            names[role],
            names.assistant,
            app,
            published,
            replicas=replicas,
            port=8000,
            service_port=8000,
            cpu=(6.0, 12.0),
            memory=(24 * GIB, 48 * GIB),
            args=engine_args(model, long=tier == "batch"),
            env={"HF_HOME": "/models"},
            liveness=False,
            pool="inference",
            gpus={"nvidia.com/gpu": 1},
            tolerations=(GPU_TAINT,),
            labels={"slo-tier": tier},
        )

    return (
        service("interactive", "interactive", names.models[0], 3),
        service("batch", "batch", names.models[1], 2),
    )


def research(names: Names, rng: random.Random) -> tuple[Workload, ...]:
    """Return the research team's dataset server and gang training job."""
    space = names.research
    dataset = Workload(
        names["dataset"],
        space,
        App(work=0.004, cpu=0.01, threads=64, memory=1.2 * GIB, startup=10.0),
        releases(names, rng, f"{space}/{names['dataset']}"),
        replicas=2,
        port=8080,
        cpu=(1.0, 4.0),
        memory=(2 * GIB, 4 * GIB),
    )
    trainer = Workload(
        names["trainer"],
        space,
        App("trainer", (), (), 45.0, 0.0, 0.0, 6.0, 1, 90 * GIB, 0.0, requires=("MASTER_ADDR",)),
        releases(names, rng, f"{space}/{names['trainer']}"),
        replicas=4,
        kind="Job",
        cpu=(32.0, 64.0),
        memory=(128 * GIB, 256 * GIB),
        calls=(Call(f"{space}/{names['dataset']}", "DATASET_URL", 1.0, 30.0),),
        env={"MASTER_ADDR": f"{names['trainer']}-0", "WORLD_SIZE": "16", "CHECKPOINT_EVERY_STEPS": "400"},
        pool="training",
        gpus={"nvidia.com/gpu": 4},
        tolerations=(GPU_TAINT,),
        probes=False,
    )
    return dataset, trainer
