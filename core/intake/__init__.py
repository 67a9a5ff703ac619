"""Jobs that come in: files, another server, demo jobs. Nothing here shows or exports any."""
