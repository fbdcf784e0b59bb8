"""Logs and tables that others measured, read into the records of this project."""
