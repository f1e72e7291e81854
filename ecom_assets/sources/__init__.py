"""Sources: whatever writes files into the landing zone. The synthetic shop, and feed maps of a shop's own exports.

What reads the landing zone does not belong here.
"""
