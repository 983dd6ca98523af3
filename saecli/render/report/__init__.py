"""A report that one can send: one HTML file, readable anywhere, that needs nothing else."""
