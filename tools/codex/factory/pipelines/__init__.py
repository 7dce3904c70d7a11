"""Sentences: stages in a row, under one lock, with one ending."""
