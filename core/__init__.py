"""What Fencepost knows: jobs, filters, exports, keys. Nothing in here knows who calls it."""
