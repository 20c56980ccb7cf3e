"""The one door for frames and files.

- ``engines``: any frame as a lazy one, and back as pandas
- ``files``: CSV and Parquet through DuckDB: the only SQL
- ``days``: days as numbers, periods as lengths
- ``rules``: rules about columns, each with its error
- ``customer_table``: the table that models take
- ``groups``: labels of groups
"""
