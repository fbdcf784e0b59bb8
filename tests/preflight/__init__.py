"""What `kubelb doctor` and `kubelb init` ask, and what they make of the answers."""
