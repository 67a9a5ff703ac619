"""The pages, and the composition of pages and API into one server."""
