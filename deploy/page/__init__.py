"""A run as one HTML file, for a colleague with a browser, today and in a year.

timeline (lanes: each host's steps in time; moments), failures, difference, facts (reach), summary
    -> content (all of a page) -> rendering (page.html, page.css)
bars, scale, wording: how a bar looks, where it is, how times are written

Messages:
    When: The page of a run is written
    Fleet: Not touched.
    Do: Give the events of a run, with its id or with `--file`: `inv report --file events.jsonl`.
"""
