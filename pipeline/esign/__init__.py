"""The service as the wire sees it: contract, signature, credentials, codes, pace, client."""
