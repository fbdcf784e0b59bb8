"""Settings for every test of the project."""

import os
import signal
import time

from hypothesis import settings

from tests import own_run

# On GitHub, sessions that tests start would write into the summary of the step that runs them.
os.environ.pop("GITHUB_STEP_SUMMARY", None)

# A script gives its background jobs an ignored SIGINT, and they to all that they start: nothing could be interrupted.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Sessions that tests start are no workers, whatever runs the tests themselves; a worker's labs are its own.
if os.environ.pop("PYTEST_XDIST_WORKER", None):
    own_run.enter()

# What tests choose at random, all workers choose alike.
os.environ.setdefault("KUBELB_TEST_SEED", str(time.time_ns() % 10**9))

# Machines that run tests are shared: how long an example takes says nothing about it.
settings.register_profile("kubelb", deadline=None)
settings.load_profile("kubelb")
