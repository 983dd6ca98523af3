"""Sparse autoencoders: the dictionary, its checkpoint, how it is trained and evaluated."""
