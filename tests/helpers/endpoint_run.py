"""Scores texts of an endpoint in a process of its own, to be killed. See test_remote_log."""

import sys

import explain
from tests.helpers.endpoint import QUESTIONS

__all__ = ["TEXTS", "main"]

TEXTS = [f"text number {number} is good and {'not ' * (number % 3)}bad" for number in range(200)]


def main(url: str, calls: str) -> None:
    """Print the scores of all texts, written exactly."""
    model = explain.load(
        url, kind="systemone", calls=calls, concurrency=8, **QUESTIONS["systemone"]
    )
    for start in range(0, len(TEXTS), 50):
        for row in model.predict(TEXTS[start : start + 50]):
            print([score.hex() for score in row.tolist()])


if __name__ == "__main__":
    main(*sys.argv[1:])
