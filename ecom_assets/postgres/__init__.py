"""What all parts that speak with a PostgreSQL database share. What is written there, and read, is no part of it."""
