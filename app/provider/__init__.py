"""The client of NetMessenger's API, and everything about its wire format."""
