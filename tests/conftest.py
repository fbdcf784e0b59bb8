"""Settings for every test of the project."""

from hypothesis import settings

# Machines that run tests are shared: how long an example takes says nothing about it.
settings.register_profile("kubelb", deadline=None)
settings.load_profile("kubelb")
