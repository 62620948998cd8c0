"""Who acts: users, the persons behind them, and their roles."""
