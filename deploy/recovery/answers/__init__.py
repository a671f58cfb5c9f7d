"""What can be done about a host that failed, beside its recovery: retried, left out, ended.

choices (pure): which answers there are, and which one an option gives -> answers: who decides,
and anew (pure): what a later plan has for one host
"""
