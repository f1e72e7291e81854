"""What may arrive: one contract per feed, and how files become rows.

Here belong the feeds, the reading of landed files and the feed maps of foreign exports.
What the rows mean does not: that is silver's.
"""
