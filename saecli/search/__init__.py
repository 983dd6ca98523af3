"""The same concept in another dictionary: correlated signatures, their null and their interval."""
