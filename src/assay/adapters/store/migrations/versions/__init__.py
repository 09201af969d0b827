"""One file for each step, in one line without branches."""
