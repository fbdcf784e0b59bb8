"""What the plugin costs beside wrk, measured in the embedded lab."""
