"""What staff are told at once, wherever they are: halts, grave breaks, and what goes on again."""
