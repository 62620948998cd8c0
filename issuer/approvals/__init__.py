"""Maker and checker: proposals, and the second person who confirms them."""
