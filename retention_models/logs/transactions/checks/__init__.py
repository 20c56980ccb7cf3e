"""What a log of purchases can be used for."""
