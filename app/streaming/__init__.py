"""What the REST interface and the pages share of HTTP."""
