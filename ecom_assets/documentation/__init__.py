"""Pages written from the declarations and from figures: dictionary, architecture, how well anomalies are noticed."""
