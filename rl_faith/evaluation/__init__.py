"""The grid, its results on disk, and comparing them."""
