"""From one format to another, as pure functions that say what they cannot carry."""
