"""A run as one HTML file: for a colleague with a browser, today and in a year.

lanes (each host's steps in time), summary (how it went) -> content (all of a page)
    -> rendering (page.html, page.css)     wording: times and names of what is drawn

Messages:
    When: The page of a run is written
    Fleet: Not touched.
    Do: Give the events of a run, with its id or with `--file`: `inv report --file events.jsonl`.
"""
