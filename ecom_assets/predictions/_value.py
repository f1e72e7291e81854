"""The models of customers' purchases."""

MODELS = {"steady_rate": "SteadyRate", "nbd": "NBD", "bg_nbd": "BGNBD", "pareto_nbd": "ParetoNBD"}
"""Name of each model and of the law of its purchases."""
FLOOR = "steady_rate"
FEATURES = ["repeat_orders", "last_order_age", "mean_value"]
"""Those of which a change makes a model be fitted before the period ends. Ages grow with every day."""
