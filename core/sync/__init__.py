"""Jobs that are pulled from another server, window by window. Only `core.intake` stores them."""
