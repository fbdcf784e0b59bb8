"""The verdicts of a session outside pytest: what is judged, the words, the exit code, and how they are shown.

Pure, but for `choice`, which reads.
"""
