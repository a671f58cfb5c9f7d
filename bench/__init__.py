"""How fast it is, measured on the lab against what the waits in the settings ask for."""
