"""Auditing a task: everything that is tried against its verifier, one module a check."""
