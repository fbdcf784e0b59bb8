"""The sub-commands of `kubelb`, one module each: `add` makes its parser, and its function runs it."""
