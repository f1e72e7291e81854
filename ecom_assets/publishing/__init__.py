"""Publishing: the writer of the snapshot. Its readers belong in `serving`."""
