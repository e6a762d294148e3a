"""The lab's Prometheus: PromQL over the numpy history, and the HTTP API that speaks it."""
