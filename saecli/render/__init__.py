"""Records and arrays become tables and pictures; nothing here reads a catalog or runs a model."""
