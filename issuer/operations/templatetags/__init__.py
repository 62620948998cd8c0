"""What pages of other doors show of the machine room."""
