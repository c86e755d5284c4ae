"""The provider's address book: contacts and groups."""
