"""Other libraries' training steps, each timed in an environment of its own."""
