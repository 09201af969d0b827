"""Adapters of the patch port."""
