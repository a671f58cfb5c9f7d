"""How an app's units stand to others of a host."""
