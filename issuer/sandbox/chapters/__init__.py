"""The chapters of the demo's story; each takes the world as the one before left it."""
