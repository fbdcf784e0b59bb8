"""For the tests of the plugin itself: pytest's own plugin for testing plugins."""

pytest_plugins = ["pytester"]
