"""The one door for frames and files: engines, files, days, rules about columns, and the table of customers."""
