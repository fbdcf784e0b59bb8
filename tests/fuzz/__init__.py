"""Everything that reads what others wrote, fed with what nobody should write.

`targets` is the one table. The tests of `tests/hostile` feed it a few inputs of hypothesis; `python -m tests.fuzz`
feeds it as many as asked for, with coverage by atheris.
"""
