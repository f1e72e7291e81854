"""The landing zone: which files arrived on which day, and how their records become rows of text.

What a feed promises belongs in `feeds`, what writes files in `sources`, what the rows mean in `silver`.
"""
