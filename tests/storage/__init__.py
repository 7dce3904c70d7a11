"""Tests of the disk: run folders, the one door, the ledger, the lock."""
