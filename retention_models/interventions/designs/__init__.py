"""One file a design; each ends in effects."""
