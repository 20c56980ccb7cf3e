"""What knows nobody: checks, arguments, dates, number formats and arrays that every other room uses."""
