"""The workload on Kubernetes: deploy, scale, wait until ready, clean up; and the overlay of its pods."""
