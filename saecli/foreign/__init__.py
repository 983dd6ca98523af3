"""Dictionaries of other projects: their files read without running them, and written."""
