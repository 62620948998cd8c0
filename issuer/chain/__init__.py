"""What chains say, and what we say to them."""
