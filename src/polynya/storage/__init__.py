"""Where rows are: DuckDB with DuckLake, its connections, transactions and locks."""
