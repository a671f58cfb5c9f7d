"""A real fleet on one machine: hosts, AWS API, load balancer, load, sample service."""
