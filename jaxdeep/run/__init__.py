"""A whole study in one call: train it, grow it or find it finished, then its tables and pictures."""
