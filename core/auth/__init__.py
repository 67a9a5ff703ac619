"""Who asks: API keys, sessions, tickets and lists of people. Nothing here knows HTTP or pages."""
