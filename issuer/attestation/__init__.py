"""What we state to the public, frozen as of a moment."""
