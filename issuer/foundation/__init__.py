"""What is true in every room: quantities, states, refusals, transactions, actors and the clock."""
