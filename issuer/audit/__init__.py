"""What happened, to what, by whom and when; append-only and sealed."""
