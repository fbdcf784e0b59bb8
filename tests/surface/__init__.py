"""The plugin from outside: pytest runs as a user would start them."""
