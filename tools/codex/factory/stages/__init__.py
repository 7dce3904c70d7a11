"""Verbs: each stage does one thing to a run, is given its tools, and records what happens."""
