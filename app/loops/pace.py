"""How long loops wait, and how they give way to messages that arrive."""

POLL_SECONDS = 1.0
# While many messages arrive, a loop pauses for this many times the length of its last turn.
GIVE_WAY = 8
