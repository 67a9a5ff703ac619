"""Who did what: events in one chain, their list, their file, their proof. Nothing here is ever changed or deleted."""
