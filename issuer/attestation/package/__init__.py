"""What every package brings along unchanged: the checker, the schema, and how to check."""
