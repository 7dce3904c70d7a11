"""Tests of git: the user's repository read, the run's own store written."""
