"""Sources: the writers of the landing zone. The synthetic shop, and feed maps for a shop's own exports.

Code that reads the landing zone does not belong here.
"""
