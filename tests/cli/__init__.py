"""Tests of the command line: flags arrive, text leaves, exit codes agree."""
