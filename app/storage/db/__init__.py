"""The database itself: connections, transactions, columns and migrations. It knows no subject."""
