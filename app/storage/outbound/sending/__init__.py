"""The queue's way to the provider: due texts, claims, attempts, results."""
