"""How figures of a statement are written for people."""
