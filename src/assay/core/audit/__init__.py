"""What the checks of an audit mean and how their answers are drawn from what was measured; no I/O."""
