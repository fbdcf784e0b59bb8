"""Tests of the sub-commands of `kubelb`."""
