"""Recognises texts that refuse ours, as people write them."""
