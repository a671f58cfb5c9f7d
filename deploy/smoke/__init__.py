"""Smoke tests through the load balancer, as users ask, once the first batch serves.

verdict (what an answer shows) -> through_balancer (the step) -> placing (puts it into a plan)
through_balancer -> precheck (the same tests before any change)

Messages:
    When: Smoke tests are asked through the load balancer
    Fleet: While a deploy is planned: nothing was changed. After the first batch: its hosts return
        to what they ran, all other hosts keep serving the previous release.
    Do: Ask the same from this workstation, for example with `curl -v`. Correct `smoke_through:`,
        the listener's rules or the release, and deploy again.
"""
