"""The door for partners."""
