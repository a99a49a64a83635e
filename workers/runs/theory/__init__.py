"""Theory: closed-form bounds and laws to compare a run's trajectory with; numpy only, so that the API can use it."""
