"""The books: what the issuer has and owes, per unit."""
