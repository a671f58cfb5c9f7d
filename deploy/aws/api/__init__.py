"""The way to the AWS API: every call, within limits, and its errors in our words.

credential_errors -> errors; credential_process -> sessions
transport, answers, errors, sessions -> account
"""
