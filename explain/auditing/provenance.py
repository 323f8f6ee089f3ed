"""Where an audit comes from: packages, day, arguments as they were given."""

import os
import platform
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import JsonValue

import explain
from explain.adapters.labels import label_names
from explain.data.dataset import Dataset
from explain.errors import ConfigurationError
from explain.record import ModelDescription, Provenance

__all__ = ["name_of_table", "provenance_of", "recorded_options", "today"]

PACKAGES = (
    "captum", "jieba", "jinja2", "lime", "numpy", "pandas", "pydantic", "regex", "scikit-learn",
    "scipy", "shap", "tokenizers", "torch", "transformers",
)  # fmt: skip


def recorded_options(options: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return options of a model as JSON has them, labels in the order of the columns."""
    labels = options.get("labels")
    return {**options, **({} if labels is None else {"labels": [*label_names(labels)]})}


def name_of_table(data: Any) -> str | None:
    """Return what the record says a table was read from."""
    if data is None:
        return None
    return str(data) if isinstance(data, str | Path) else type(data).__name__


def provenance_of(
    model: ModelDescription, dataset: Dataset, arguments: dict[str, JsonValue], seed: int
) -> Provenance:
    """Return where an audit comes from."""
    versions = {"explain-audit": explain.__version__}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return Provenance(
        audited_on=today(),
        model=model,
        data=dataset.files,
        rows_sha256=dataset.sha256,
        arguments=arguments,
        seed=seed,
        packages=dict(sorted(versions.items())),
        python=platform.python_version(),
        platform=platform.platform(),
    )


def today() -> date:
    """Return today in UTC, or the day of SOURCE_DATE_EPOCH for builds that must repeat."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        return datetime.fromtimestamp(float(seconds or time.time()), UTC).date()
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigurationError(
            f"SOURCE_DATE_EPOCH is {seconds!r}, which is no time; set it to seconds since 1970, "
            "or unset it"
        ) from error
