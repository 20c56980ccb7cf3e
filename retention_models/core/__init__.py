"""What every other room uses, and what itself uses no other room.

- ``check``: the record of a check: passed, failed, or not testable
- ``arguments``: rules for single values: numbers, horizons, margins
- ``column_rules``: what the columns of customers and contracts must keep
- ``arrays``: the types of arrays and of random states
- ``dates``: days and units of time
- ``distinct``: distinct rows of columns, and how many share each
- ``formatting``: rounded numbers, intervals, and the short form of results
- ``proportions``: confidence intervals of proportions
- ``stored_record``: results as JSON text
- ``whole_files``: files written whole or not at all, and work folders
- ``package_files``: where notebooks and data lie
- ``moved_names``: where names of earlier versions are now
- ``version``: the version
"""
