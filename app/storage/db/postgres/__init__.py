"""PostgreSQL: connections, and which server they may reach."""
