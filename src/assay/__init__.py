"""Assay turns real code into software-engineering tasks and proves that their verifiers can be trusted."""

__version__ = "0.1.0"
