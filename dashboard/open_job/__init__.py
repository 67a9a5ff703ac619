"""One job beside a list: its text, its logs, its review. Nothing here knows which list it was opened from."""
