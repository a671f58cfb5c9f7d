"""The way to the AWS API: every call, within limits, and its errors in our words.

skew, credential_errors -> errors; credential_process, lifetime -> sessions
transport, answers, errors, sessions -> account
account: each call: clients, time limits, and botocore's retries where AWS throttles
errors: which foreign errors may pass, such as throttling after these retries
sessions, lifetime: credentials, and how long they last
"""
