"""What models learn from, computed in the warehouse."""
