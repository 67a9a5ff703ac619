"""What helps tests: servers, rows, documents, browsers. No test stands here."""
