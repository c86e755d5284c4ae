"""Where acknowledged messages wait on disk while the database is away."""
