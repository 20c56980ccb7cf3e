"""What customers are worth: predictions turned into money."""
