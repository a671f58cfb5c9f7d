"""How others do the same job, as well as somebody who knows their tool would have it."""
