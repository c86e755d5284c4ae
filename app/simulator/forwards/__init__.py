"""The provider's forward of an inbound text, as it looks on the wire."""
