"""saecli: train, catalogue, compare and knock out sparse-autoencoder features of vision models."""

__version__ = "0.1.0"
