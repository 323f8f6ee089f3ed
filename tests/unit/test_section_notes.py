"""What the page says of the bars of a check is what the check holds to."""

import pytest

from explain.checks import CHECKS
from explain.checks.base.check import LEVEL
from explain.checks.calibration.check import LARGE_ERROR
from explain.checks.calibration.check import LARGE_GAP as LARGE_CONFIDENCE_GAP
from explain.checks.robustness.summary import MOST_FLIPS, MOST_FLIPS_BY_FAULT
from explain.checks.selective.slices import SMALLEST_EXCESS
from explain.checks.slices.slice_tests import LARGE_GAP, SMALLEST_GAP
from explain.record.wording import percent
from reports.section_notes import EVERY_FINDING, NOTES, notes_of


@pytest.mark.parametrize(
    ("section", "bar"),
    [
        ("slices", f"beyond {100 * SMALLEST_GAP:.0f} points"),
        ("slices", f"beyond {100 * LARGE_GAP:.0f} points it is major"),
        ("calibration", f"beyond {100 * LARGE_CONFIDENCE_GAP:.0f} percentage points on average"),
        ("calibration", f"beyond {100 * LARGE_ERROR:.0f} points as a root mean square"),
        ("selective", f"beyond {100 * SMALLEST_EXCESS:.0f} points"),
        ("robustness", f"more than {percent(MOST_FLIPS)} of the answers"),
        ("robustness", f"more than {percent(MOST_FLIPS_BY_FAULT)}"),
    ],
)
def test_the_page_states_the_bars_of_the_checks(section: str, bar: str) -> None:
    assert bar in " ".join(NOTES[section])


def test_the_page_states_the_level_of_the_checks() -> None:
    assert f"at most 1 of {1 / LEVEL:.0f} audits" in EVERY_FINDING


def test_only_checks_that_test_state_the_rule_of_findings() -> None:
    assert notes_of("slices")[-1] == EVERY_FINDING
    assert EVERY_FINDING not in (*notes_of("stability"), *notes_of("trust"))
    assert notes_of("a check of somebody else") == ()


def test_every_check_has_its_notes() -> None:
    assert set(CHECKS) <= set(NOTES)
