"""Years of invented texts, and the questions that are asked of them."""
