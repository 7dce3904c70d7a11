"""Tests of the pipelines, on real repositories by the real command."""
