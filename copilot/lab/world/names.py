"""Seeded names: the same role is called differently in every world."""

import random

_SHOP = ("storefront", "shop", "bazaar", "retail", "market", "boutique")
_ASSISTANT = ("assistant", "concierge", "copilot-rag", "helpdesk-ai", "answers", "docs-chat")
_RESEARCH = ("research", "ml-training", "foundry", "pretraining", "model-lab")
_ROLES: dict[str, tuple[str, ...]] = {
    "gateway": ("gateway", "edge", "web-gateway", "ingress-api"),
    "frontend": ("frontend", "web", "storefront-ui", "site"),
    "catalog": ("catalog", "products", "inventory", "product-catalog"),
    "cart": ("cart", "basket", "cart-api"),
    "checkout": ("checkout", "orders", "order-api"),
    "payment": ("payment", "billing", "payments-api"),
    "recommendation": ("recommendation", "suggestions", "personalizer"),
    "search": ("search", "search-api", "finder"),
    "reviews": ("reviews", "ratings", "feedback"),
    "worker": ("fulfilment", "order-worker", "dispatcher", "mailer"),
    "database": ("postgres", "orders-db", "pg-main", "database"),
    "cache": ("redis", "cache", "session-cache", "valkey"),
    "queue": ("rabbitmq", "queue", "message-broker", "events-mq"),
    "assistant": ("assistant-api", "rag-gateway", "chat-api", "qa-gateway"),
    "embedding": ("embedder", "embedding", "encoder"),
    "vector": ("vector-search", "qdrant", "vector-db", "retriever"),
    "rerank": ("reranker", "rerank", "cross-encoder"),
    "interactive": ("llm-chat", "vllm-interactive", "llm-online", "llm-fast"),
    "batch": ("llm-batch", "vllm-batch", "llm-offline", "llm-bulk"),
    "summarizer": ("summarizer", "digest-worker", "bulk-client", "doc-summaries"),
    "dataset": ("dataset-server", "data-cache", "shard-server", "corpus-cache"),
    "trainer": ("pretrain", "finetune", "train-gang", "sft-run"),
    "nightly": ("nightly-report", "reindex", "etl-nightly", "ledger-close"),
}
_MODELS = ("meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen2.5-14B-Instruct", "mistralai/Mistral-Nemo-12B-Instruct-2407")
_REGISTRIES = ("registry.example.com", "harbor.internal.example", "images.example.net")
_REGIONS = ("us-east-1", "eu-central-1", "eu-west-1", "us-west-2")


class Names:
    """Names of one world, drawn from ``rng``; asking twice gives the same answer."""

    def __init__(self, rng: random.Random) -> None:
        self.shop = rng.choice(_SHOP)
        self.assistant = rng.choice(_ASSISTANT)
        self.research = rng.choice(_RESEARCH)
        self.registry = rng.choice(_REGISTRIES)
        self.region = rng.choice(_REGIONS)
        self.models = tuple(rng.sample(_MODELS, 2))
        self._roles = {role: rng.choice(pool) for role, pool in _ROLES.items()}

    def __getitem__(self, role: str) -> str:
        return self._roles[role]


def version(rng: random.Random) -> tuple[int, int, int]:
    """Draw a semantic version."""
    return rng.randint(1, 4), rng.randint(2, 30), rng.randint(0, 9)


def suffix(rng: random.Random, length: int) -> str:
    """Draw a suffix from the letters that Kubernetes uses in generated names."""
    return "".join(rng.choice("bcdfghjklmnpqrstvwxz2456789") for _ in range(length))
