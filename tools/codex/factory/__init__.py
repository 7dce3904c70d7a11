"""Factory: many workers on one base commit, one proven merge. Name and version."""

__version__ = "0.1.0"
