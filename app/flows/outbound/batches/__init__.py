"""Texts to many: their rows read, checked, approved and sent."""
