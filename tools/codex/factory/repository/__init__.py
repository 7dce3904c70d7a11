"""Git: the user's repository is read here, the run's own object store written."""
