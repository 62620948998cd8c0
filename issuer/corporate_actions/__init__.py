"""What companies do to their shares, and how books, custodians and chains follow."""
