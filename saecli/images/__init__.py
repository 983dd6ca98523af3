"""Pictures: finding them (torch-free), decoding them, and loading them in batches."""
