"""The simulated cluster: causes go in (objects, hardware, demand), symptoms come out as metrics, states and logs."""
