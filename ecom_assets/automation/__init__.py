"""When things run: jobs, schedules, sensors, the executor and alerts. What runs is the tables' own affair."""
