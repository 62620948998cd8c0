"""Stand-ins for the outside, held to the contracts of the real ones."""
