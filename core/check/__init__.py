"""`python -m core check`: each finding with its remedy. Nothing here changes a database."""
