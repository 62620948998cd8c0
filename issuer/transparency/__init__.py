"""The door for everybody: the public pages and feeds."""
