"""Where acknowledged messages wait on disk while the database is away, and the folder it is in."""
