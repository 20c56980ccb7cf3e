"""The row that every question about an action ends in, and the table of such rows."""
