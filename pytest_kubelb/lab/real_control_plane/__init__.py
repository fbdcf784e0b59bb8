"""The real control plane of Kubernetes, in place of the emulated one where its programs are there.

Touches the holder's namespaces.
"""
