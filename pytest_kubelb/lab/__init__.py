"""The embedded testbed: the seed's hosts as network namespaces on this machine. Touches only namespaces it made."""
