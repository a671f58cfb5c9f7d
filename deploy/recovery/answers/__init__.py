"""What can be decided about a host that failed, after its recovery: retry, leave out, stop.

choices (pure): which answers there are, and which one an option gives
answers: who decides     replanning (pure): what a later plan has for the host
"""
