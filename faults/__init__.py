"""`make faults`: what a deploy survives, on the lab's hosts under load, each line with figures."""
