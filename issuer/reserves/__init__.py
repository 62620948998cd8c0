"""The equation: owed, held, cover and headroom; shares held for a request."""
