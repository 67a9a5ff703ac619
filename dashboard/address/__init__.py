"""What stands in a page's address: filters, periods, time zones. Nothing here draws."""
