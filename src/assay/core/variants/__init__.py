"""Variants of a reference change: parts left out, mutants, and wrong fixes, as files; no I/O and no opinion on them."""
