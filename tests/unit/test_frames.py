"""Records are tables of pandas, with the numbers that they hold."""

from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

import explain
from explain.record import AuditRecord
from tests.helpers.attributions import attribution
from tests.helpers.records import audit_record, hostile_record


def test_an_attribution_is_a_table_of_its_features_in_reading_order() -> None:
    frame = attribution().to_frame()
    assert list(frame.feature) == ["bad", "film"]
    assert frame[["part", "start", "end"]].to_numpy().tolist() == [[0, 0, 3], [0, 4, 8]]
    assert list(frame.value) == [2.0, 1.0]
    assert list(frame.standard_error) == [0.1, 0.1]
    assert list(zip(frame["rank"], frame.rank_to, strict=True)) == [(1, 1), (2, 2)]
    without = attribution(standard_errors=None).to_frame()
    assert without[["standard_error", "rank", "rank_to"]].isna().all(axis=None)


@pytest.mark.parametrize("record", [audit_record(), hostile_record()], ids=["audit", "hostile"])
def test_each_table_of_an_audit_has_a_row_for_each_thing(record: AuditRecord) -> None:
    findings = record.to_frame("findings")
    assert list(findings.claim) == [str(finding.claim) for finding in record.findings]
    assert list(findings.n.dropna()) == [f.measure.n for f in record.findings if f.measure]
    criteria = record.to_frame("criteria")
    assert list(criteria.verdict) == [criterion.verdict for criterion in record.criteria]
    assert list(criteria.metric) == [criterion.metric for criterion in record.criteria]
    measures = record.to_frame("measures")
    assert len(measures) == sum(len([*section.all_measures()]) for section in record.sections)
    rows = record.to_frame("attributions")
    values = [v for i in record.instances for a in i.attributions for v in a.values]
    assert list(rows.value) == values


def test_the_predictions_are_a_table_too_and_another_table_is_refused() -> None:
    model = explain.wrap(lambda texts: [[0.2, 0.8]] * len(texts), labels=["a", "b"])
    record = explain.audit(model, [{"text": "x"}] * 3, instances=0, methods=[], checks=[])
    pd.testing.assert_frame_equal(record.to_frame("predictions"), record.predictions)
    assert np.exp(record.predictions["score.b"]).iloc[0] > 0
    empty = record.to_frame("findings")
    assert (len(empty), "claim" in empty.columns) == (0, True)
    with pytest.raises(ValueError, match=r"no table of 'rows'; there are findings, measures"):
        record.to_frame(cast(Any, "rows"))
