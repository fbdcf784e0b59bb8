"""Counters read on every host around a run, and the findings drawn from them."""
