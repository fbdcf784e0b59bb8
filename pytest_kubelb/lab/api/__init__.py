"""The lab's Kubernetes control plane: an API server and controllers in one asyncio loop.

Touches only the socket it is given.
"""
