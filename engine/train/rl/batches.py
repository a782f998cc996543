"""Rows in batches of like length, as many at once as a training pass may hold."""


def batches(rows, size, tokens):
    """The rows, the longest first; in each batch no more than `tokens` by its longest's size, or one row."""
    rows = sorted(rows, key=size)
    while rows:
        n = max(1, min(len(rows), tokens // size(rows[-1]))); yield rows[-n:]; rows = rows[:-n]
