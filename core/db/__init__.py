"""The databases: how they are opened, asked, migrated and kept. Nothing here knows a filter, a file or a person."""
