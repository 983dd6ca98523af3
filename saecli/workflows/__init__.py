"""What the commands do: read from the catalog, call the maths, write back."""
