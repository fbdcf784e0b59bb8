"""What means harm: input of others, names made to be run or shown, sizes without bound, secrets in what is kept."""
