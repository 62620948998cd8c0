"""How the framework's own pages write dates and times."""
