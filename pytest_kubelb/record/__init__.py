"""The record: the append-only file that every sample goes to the moment it exists, and reading it again."""
