"""Every call of the AWS API, within limits, and its errors in our words.

account: makes each call, with botocore's retries where AWS throttles
    -> transport (limits), answers (parsing), errors (in words), skew (of the clock),
       network (proxies and other endpoints, by the environment)
sessions, lifetime -> credential_process, credential_errors: credentials, and how long they last
"""
