"""Pages written from the declarations: the data dictionary and the architecture."""
