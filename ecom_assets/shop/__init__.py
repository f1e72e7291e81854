"""The synthetic shop: pure and seeded, any day addressable by itself.

Here belongs what the shop's rows hold. How they are landed as files does not.
"""
