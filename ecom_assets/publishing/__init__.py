"""Publishing: what writes the snapshot. What reads it belongs in `serving`."""
