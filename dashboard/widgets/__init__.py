"""Small parts that several pages draw with. Nothing here belongs to one page alone."""
