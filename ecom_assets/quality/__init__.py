"""Assets that judge what is published: its quality, and how many planted defects the checks found."""
