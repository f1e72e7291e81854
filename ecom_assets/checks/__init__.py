"""Checks that look at many tables or days at once. What a single table promises does not belong here."""
