"""Who looks at the page, and what a session keeps. Nothing here draws a job."""
