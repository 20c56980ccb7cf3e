"""A test read from one file of customers, with its checks and views."""
