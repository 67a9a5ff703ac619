"""What stands around the pages on the server: who gets in, which headers go out. Nothing here draws a page."""
