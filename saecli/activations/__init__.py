"""Patch activations of a backbone's layer: recorded once, or streamed, and read shuffled."""
