"""What models learn from: what was known of customers, and of what they like, at the end of each day.

Here belongs what holds at a point in time: nothing of it, nor of anything it is made of, looks past its day.
"""
