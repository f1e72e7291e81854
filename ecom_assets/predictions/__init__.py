"""What is likely to happen, from what had arrived by a cut-off day, and how far models were right.

Models are fitted, compared and chosen here; their mathematics is in `models`. A prediction names its cut-off day, its
model and the day to which that was fitted. No table reads what arrived after the day.
"""
