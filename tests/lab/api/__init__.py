"""Tests of the lab's Kubernetes API, driven by the official client over HTTPS."""
