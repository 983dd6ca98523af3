"""Scripts that write tiny dictionaries with the libraries themselves, each in its environment."""
