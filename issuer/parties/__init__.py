"""Programs, legal entities, participants, custodians and wallets."""
