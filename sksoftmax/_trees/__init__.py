"""FIRST FLOOR: trees whose leaves hold a vector, from bins to forests."""
