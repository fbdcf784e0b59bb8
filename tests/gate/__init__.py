"""Tests of the gate: what is judged, and how it is shown."""
