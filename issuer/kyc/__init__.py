"""Who may deal with us, and until when."""
