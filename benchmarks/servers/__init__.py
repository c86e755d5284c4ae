"""The servers under test and those around them, each a process on a core of its own."""
