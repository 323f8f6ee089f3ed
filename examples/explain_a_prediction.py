"""Explain one prediction of the demo model by three methods, and write a page of each."""

import sys
from importlib.resources import files
from pathlib import Path

import explain
import reports

TEXT = "Hello, I was charged twice for March. Sent from the Northgate desk"


def main(out: Path) -> None:
    model = explain.load(str(files("explain") / "demo/model"))
    for method in ("shap", "lime", "integrated_gradients"):
        attribution = explain.attribute(model, TEXT, method=method)
        ranked = sorted(
            zip(attribution.features, attribution.values, strict=True),
            key=lambda pair: -abs(pair[1]),
        )
        print(f"{method}, for {attribution.target.label}:")
        for feature, value in ranked[:3]:
            print(f"  {value:+6.2f}  {feature}")
        print(f"  written to {reports.write_html(attribution, out / f'{method}.html')}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "explained"))
