"""SQLite: its file, the thread that writes to it, and those that read."""
