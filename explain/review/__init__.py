"""What people add to an audit: reviews and signatures, and the proof that nothing else changed."""

from explain.review.importing import import_reviews
from explain.review.signing import sign
from explain.review.verification import verify

__all__ = ["import_reviews", "sign", "verify"]
