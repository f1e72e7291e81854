"""The landing zone: which files arrived on which day, and how their records become rows of text.

The columns of a feed belong in `feeds`, the writers of files in `sources`, the meaning of rows in `silver`.
"""
