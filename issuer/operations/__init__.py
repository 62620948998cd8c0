"""The machine room: supervisor, health, metrics and checks."""
