"""What a statement does when it is not plain SQL: one file per kind."""
