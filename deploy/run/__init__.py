"""Runs a plan: batches, a thread for each host, and the report of how it ended.

executor -> capacity_gate (before a batch), host_runner -> progress, failed_step -> report
"""
