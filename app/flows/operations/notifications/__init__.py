"""Notifications: whom to tell, what of, and how."""
