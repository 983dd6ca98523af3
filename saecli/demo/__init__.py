"""The built-in world and the backbones that were trained on it."""
