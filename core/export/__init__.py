"""An export: one snapshot, its receipt, its bytes, and the check of a file. Nothing here knows who asks over HTTP."""
