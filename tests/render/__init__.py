"""Tests of the pens."""
