"""One suite for every API server that the plugin may meet: that of the lab, and any real one."""
