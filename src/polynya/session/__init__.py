"""One client's session: role, warehouse, database, schema, parameters, transaction, temporary objects, past results."""
