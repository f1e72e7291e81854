"""What models learn from: what was known of customers, and of what they like, at the end of each day.

Here belongs what holds at a point in time: nothing of it, nor of anything it is made of, looks past its day. What
becomes of an order later is no part of it; a corrected row is, for it says what was true then.
"""
