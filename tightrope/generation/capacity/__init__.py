"""Capacity: how many GPUs a load needs and what they cost a month. Pure, but for reading its own data files (figures.py)."""
