"""Row plans become calls: limiter slots, retries, circuit breaker, drain."""
