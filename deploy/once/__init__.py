"""What one host runs once for each release, before the first host is taken out: `run_once:`.

plan     adds it to a deploy's plan, or says why the deploy has to ask first
refusal  what is said of one that was started and not done
step     runs it to its end, and writes down how far it came
"""
