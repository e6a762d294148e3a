"""The small shop that most cases are about."""

from tests.builders import Cluster


def shop() -> Cluster:
    """A shop whose front calls a cart."""
    c = Cluster()
    c.app("cart", port=7070)
    c.app("front", port=8080, env={"CART_ADDR": "cart:7070"})
    return c
