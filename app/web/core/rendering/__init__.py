"""From data to a page: templates, and what they call."""
