"""Tests of tuning: CPU sets, profiles, and knobs of real kernels."""
