"""HTTP: the routes, the table of errors, the streaming response. Serves beside the dashboard or alone."""
