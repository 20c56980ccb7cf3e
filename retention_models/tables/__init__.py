"""The one door for frames and files.

- ``engines``: the columns asked for of any frame or file
- ``cleaning``: these columns, cleaned alike; ``frames``: frames of any engine, and back as pandas
- ``files``: CSV, Parquet and Excel files through DuckDB
- ``text_files``: encoding, separator and names of columns of files of text
- ``reading``: what the caller says of files and text
- ``text_forms``: how days and numbers are written in text, recognised by column
- ``conditions``: which rows of a log count
- ``currencies``: amounts in several currencies
- ``days``: days as numbers, periods as lengths
- ``rules``: rules about columns, each with its error
- ``customer_table``: the table that models take
- ``observation_end``: until when customers count as observed
- ``groups``: labels of groups
"""
