"""Nouns: what the things of a run are. Values only; no disk, no process, no clock."""
