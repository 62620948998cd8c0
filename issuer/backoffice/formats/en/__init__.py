"""English, with days and times as ISO 8601 has them; all times are UTC."""
