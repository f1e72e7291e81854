"""Random histories of a small shop: what lands, what runs, what crashes, and the law they all have to keep.

A history is a list of steps and prints as the expression that makes it. `replay` carries it out, and `broken_law`
says what differs in the end from one clean run over the same landing zone.
"""
