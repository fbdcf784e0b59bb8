"""Pure statistics: numbers in, verdicts out. No I/O, no pytest."""
