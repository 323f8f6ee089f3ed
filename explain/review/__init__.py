"""What people add to an audit: reviews and signatures, and the proof that nothing else changed."""

from explain.review.signing import sign
from explain.review.verification import verify

__all__ = ["sign", "verify"]
