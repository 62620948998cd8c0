"""Commands of the demo world."""
