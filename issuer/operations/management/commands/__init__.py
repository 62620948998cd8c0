"""Commands of the machine room, one per module."""
