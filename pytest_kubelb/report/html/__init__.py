"""The report of `--kubelb-html`: one self-contained file with the pictures, made from records alone."""
