"""Frozen types, one noun a file. No I/O, no clock, no randomness."""
