"""The actions of the provider's API."""
