"""Where somebody's number stands: for exports of a person and for erasures."""
