"""Same-job A/B: two sides measured run by run in turn within one session, and the ratio judged."""
