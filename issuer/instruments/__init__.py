"""Securities, tokens, networks and deployments, and how one backs the other."""
