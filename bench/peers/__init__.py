"""How others do the same job, set up as well as a person who knows the tool would."""
