"""The way to the AWS API: every call, within limits, and its errors in our words.

transport, answers, errors, sessions -> account
"""
