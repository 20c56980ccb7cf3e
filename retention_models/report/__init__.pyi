from .written_tables import write_table as write_table
