"""The mathematics of difficulty: what trials say about a rate, and which trials are worth their price."""
