"""Rules for automatic replies, and opt-outs."""
