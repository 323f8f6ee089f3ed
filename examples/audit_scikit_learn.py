"""Train a scikit-learn pipeline on half of the demo messages, and audit it on the other half."""

import sys
from importlib.resources import files
from pathlib import Path

import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import explain
import reports


def main(out: Path) -> None:
    table = pd.read_csv(str(files("explain") / "demo/messages.csv"))
    train, held_out = table.iloc[::2], table.iloc[1::2]
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    pipeline.fit(train["text"], train["label"])
    record = explain.audit(
        explain.wrap(pipeline, name="TF-IDF and logistic regression"),
        held_out,
        label="label",
        instances=12,
    )
    print(reports.write_html(record, out / "audit.html"))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "audit-scikit-learn"))
