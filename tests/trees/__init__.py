"""Tests of the trees floor; they may touch private names."""
