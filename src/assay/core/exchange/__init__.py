"""Other people's formats as values: what their fields mean, and what has no place on the other side."""
