"""The API of another API server, as the controllers use it: a mirror that follows it, and writes over HTTPS.

Touches that API server only.
"""
