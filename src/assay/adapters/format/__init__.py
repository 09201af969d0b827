"""Adapters of the format port."""
