"""Merging another catalog into this one: every row is known by an identity, not by its number."""
