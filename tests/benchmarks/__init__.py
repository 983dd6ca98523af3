"""Measurements that anyone can repeat; they take minutes and are no tests."""
