"""The keys that do something, on whatever page. Nothing here knows what they do."""
