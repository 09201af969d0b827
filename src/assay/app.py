"""Settings and wiring; the only reader of environment variables."""
