"""What a dictionary's latents do over an image set: counts, exemplars, maps, signatures."""
