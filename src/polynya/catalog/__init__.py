"""What exists and who may use it."""
