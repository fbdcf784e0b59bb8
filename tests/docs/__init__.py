"""Tests of the documentation: its commands are run, its examples are used, its reference is complete."""
