"""What is kept beside the jobs, as statements of SQL: tables, triggers and functions. Nothing here runs them."""
