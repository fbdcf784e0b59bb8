"""The hosts and the cluster under one inventory: what is measured and what measures."""
