"""Formats of others: importers and exporters, found by name."""
