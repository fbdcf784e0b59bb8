"""Before anything is touched: is the testbed ready for a session, and what is it made of."""
