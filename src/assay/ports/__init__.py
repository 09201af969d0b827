"""Protocols with written contracts. Each has a fake and a contract suite in `assay.testing`."""
