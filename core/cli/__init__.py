"""The commands of `python -m core`: arguments in, lines and exit codes out. What they do stands elsewhere."""
