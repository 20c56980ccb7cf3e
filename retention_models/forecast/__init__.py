"""What to expect: purchases of each customer and of all together, and retention of contracts."""
