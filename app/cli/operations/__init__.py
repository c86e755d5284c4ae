"""The service itself: checks, backups, exports, moves, notifications, the provider's account."""
