"""Causes that Kubernetes state can show, as small manifests for the real control plane, and what is well there."""
