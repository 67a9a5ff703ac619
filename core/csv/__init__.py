"""The bytes of CSV: the encoder and its reader. Nobody else knows a comma, and nothing here knows a table's meaning."""
