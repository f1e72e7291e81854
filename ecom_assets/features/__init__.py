"""Inputs of models: what was known about customers and their preferences at the end of each day.

Point-in-time data belong here: no table, nor any of its inputs, looks past its day. The later fate of an order is
excluded; a corrected row is included, because it states what was true then.
"""
