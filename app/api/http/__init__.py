"""One caller's connection: reading requests, answering in order, and limits for strangers."""
