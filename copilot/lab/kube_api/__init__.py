"""The lab's Kubernetes API: an in-memory object store and an ASGI application that speaks the protocol over it."""
