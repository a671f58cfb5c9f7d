"""`make audit`: one line per wall, and a control that shows the attack works without the wall."""
