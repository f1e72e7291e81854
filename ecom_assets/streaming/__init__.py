"""Streams: a consumer that lands the records of Kafka's topics as files, each once, and a producer that plays a shop.

What a record must be to land, where a partition goes on, and what is done when something fails belong here. Which files
the landing zone lists, and what their rows mean, do not: once landed, a record is a row like all others.
"""
