"""Everything that lies on disk: the database (the only SQLAlchemy) and the spool."""
