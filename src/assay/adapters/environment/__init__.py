"""Adapters of the environment port."""
