"""The synthetic shop: pure and seeded; each day can be computed on its own.

The content of the shop's rows belongs here. Landing them as files does not.
"""
