"""The work, one file a stage, in the order of a task's life."""
