"""Go on with a session that had stopped: which one, whether it is the same, and its items that are kept."""
