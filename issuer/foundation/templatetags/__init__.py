"""How figures, times, states and addresses are written on every screen."""
