"""Jobs that come in: files, and demo jobs. Nothing here shows or exports any."""
