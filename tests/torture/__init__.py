"""The house broken wherever it can be broken: long, and run by `make torture`."""
