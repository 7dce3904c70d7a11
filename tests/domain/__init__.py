"""Tests of the pure rooms; git is asked where git is the judge."""
