"""What holds across packages: imports, walls, grants, read-only sources, plans, pages alike."""
