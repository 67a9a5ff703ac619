"""What categories and reasons mean, as admins write it, in numbered versions; and which verdicts count under it."""
