"""What a run's evidence says: validity, path, fairness and ceiling, as findings."""
