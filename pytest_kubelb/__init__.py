"""pytest-kubelb: Kubernetes load-balancer benchmarks as parametrized tests, with the proof that the number repeats."""

__version__ = "0.1.0"
