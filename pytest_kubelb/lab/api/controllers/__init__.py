"""The controllers: each makes one kind of object follow another.

They touch only the store, and pods through the kubelet.
"""
