"""Each of the 48 faults that the endpoints were built by has a test that shows what it leads to."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

FAULTS = "unit/test_remote_faults.py"
WIRE = "models/test_remote_wire.py"
KINDS = "unit/test_remote_kinds.py"
ODD = "unit/test_remote_odd_answers.py"
CANARIES = "models/test_remote_canaries.py"
LOG = "models/test_remote_log.py"
WAYS = {
    "transient": ("TRANSIENT", "test_what_passes_leaves_the_scores_of_a_clean_run"),
    "fatal": ("FATAL", "test_what_cannot_pass_ends_all_in_one_line"),
    "unfit": ("UNFIT", "test_a_request_that_is_refused_is_due_to_its_text_if_others_are_answered"),
    "lost": ("LOST", "test_what_concerns_one_text_loses_no_other"),
}
"""Tables whose cases begin with the number of their fault, and the test that runs them all."""

TABLE: dict[int, tuple[str, tuple[str, ...]]] = {
    1: (
        "429 with Retry-After",
        ("transient", f"{FAULTS}::test_retry_after_holds_the_whole_host_back"),
    ),
    2: (
        "429 without it, or in milliseconds",
        (
            "transient",
            f"{FAULTS}::test_concurrency_grows_while_all_is_well_and_halves_when_it_is_not",
        ),
    ),
    3: ("429 as the account is not paid", ("fatal",)),
    4: ("Retry-After of an hour, negative, a word, in the past", ("transient", "fatal")),
    5: (
        "503 while the model loads",
        (f"{FAULTS}::test_a_server_that_loads_is_waited_for_and_then_given_up",),
    ),
    6: ("500, 529, and pages with 502 and 504", ("transient",)),
    7: ("408, 409, 425", ("transient",)),
    8: (
        "400 as the text is too long",
        ("lost", f"{FAULTS}::test_a_bad_text_never_makes_its_batch_be_paid_again"),
    ),
    9: ("400, 404, 405, 410, 415, 501", ("fatal", "unfit")),
    10: ("401 and 403", ("fatal",)),
    11: (
        "413 on a batch",
        ("lost", f"{FAULTS}::test_a_batch_that_is_too_large_is_halved_and_the_size_remembered"),
    ),
    12: ("422 with a field, 424", ("transient", "unfit", "lost")),
    13: (
        "no connection, no such name",
        (
            f"{WIRE}::test_a_port_where_nothing_listens_is_an_error_at_once",
            f"{WIRE}::test_a_name_that_does_not_exist_is_an_error_at_once",
            f"{WIRE}::test_a_server_that_goes_away_is_given_up",
            f"{ODD}::test_a_connection_that_is_refused_in_the_middle_is_tried_again",
        ),
    ),
    14: (
        "certificates: signed by itself, of another host, expired",
        (
            f"{WIRE}::test_a_certificate_that_nobody_trusts_ends_all_and_its_authority_can_be_named",
            f"{WIRE}::test_a_certificate_that_has_expired_ends_all",
        ),
    ),
    15: (
        "a redirect to another host",
        ("fatal", f"{WIRE}::test_a_redirect_takes_no_key_to_another_host"),
    ),
    16: (
        "the connection breaks",
        (f"{WIRE}::test_what_breaks_once_leaves_the_scores_of_a_clean_run",),
    ),
    17: (
        "half a body",
        (
            "transient",
            "lost",
            f"{WIRE}::test_what_breaks_once_leaves_the_scores_of_a_clean_run",
        ),
    ),
    18: (
        "one byte after the other",
        (f"{WIRE}::test_what_breaks_once_leaves_the_scores_of_a_clean_run",),
    ),
    19: (
        "a body of a gigabyte, or packed",
        (
            f"{WIRE}::test_an_answer_without_end_is_not_read_to_its_end",
            f"{FAULTS}::test_a_body_that_is_packed_without_being_asked_is_read_up_to_the_limit",
        ),
    ),
    20: ("an error in a 200", ("transient", "fatal")),
    21: ("a 200 without answers", ("transient", "lost")),
    22: ("a refusal", ("lost", f"{KINDS}::test_a_refusal_loses_its_text_only")),
    23: ("a filter", ("lost", f"{ODD}::test_an_answer_that_a_filter_holds_back_is_a_refusal")),
    24: ("other labels", ("fatal", f"{KINDS}::test_other_labels_end_all_and_both_sets_are_named")),
    25: (
        "labels in another order",
        (
            f"{KINDS}::test_labels_are_matched_by_name_and_not_by_place",
            f"{KINDS}::test_a_truth_value_and_its_name_are_two_options",
        ),
    ),
    26: (
        "probabilities that do not sum to one",
        (
            f"{FAULTS}::test_scores_that_are_no_probabilities_end_all_after_three_texts",
            f"{FAULTS}::test_probabilities_of_two_decimals_may_miss_one_by_half_a_step_a_label",
        ),
    ),
    27: (
        "numbers that are none, and -9999",
        ("lost", f"{ODD}::test_minus_9999_is_a_token_that_was_not_returned"),
    ),
    28: (
        "another model answers",
        (f"{CANARIES}::test_a_model_that_changes_its_name_is_a_finding_and_leaves_no_verdict",),
    ),
    29: (
        "other answers under the same name",
        (f"{CANARIES}::test_answers_that_shift_under_the_same_name_are_seen_at_the_next_canaries",),
    ),
    30: (
        "rows that are missing, foreign or there twice",
        (
            f"{FAULTS}::test_a_bad_text_never_makes_its_batch_be_paid_again",
            f"{ODD}::test_rows_with_wrong_indices_are_never_matched",
        ),
    ),
    31: (
        "rows in another order with indices",
        (f"{KINDS}::test_scores_are_those_of_the_model_behind_the_endpoint",),
    ),
    32: (
        "bytes in another encoding",
        ("transient", "lost", f"{ODD}::test_odd_characters_change_no_score"),
    ),
    33: ("a key twice, 30,000 levels", ("lost",)),
    34: (
        "no log-probabilities although asked for",
        (f"{KINDS}::test_a_chat_endpoint_without_log_probabilities_ends_all",),
    ),
    35: (
        "fewer tokens than asked for",
        (f"{KINDS}::test_a_missing_token_has_at_most_what_is_left",),
    ),
    36: (
        "texts that are cut without a word",
        (f"{CANARIES}::test_texts_that_are_cut_without_a_word_show_in_the_counts_of_the_server",),
    ),
    37: ("the key comes back", (f"{FAULTS}::test_the_key_is_in_no_byte_that_leaves",)),
    38: (
        "cookies, closed connections, HTTP/1.0",
        (
            f"{FAULTS}::test_no_cookie_is_kept",
            f"{WIRE}::test_old_versions_and_closed_connections_work",
        ),
    ),
    39: ("a clock that is wrong", ("transient",)),
    40: (
        "the same text gets another answer",
        ("models/test_remote_audit.py::test_the_same_text_is_asked_again_past_the_log",),
    ),
    41: (
        "probabilities that are rounded or clipped",
        (
            "models/test_endpoints.py::test_decimals_that_nobody_states_are_found_out",
            "models/test_endpoints.py::"
            "test_the_report_says_how_noisy_an_endpoint_is_and_where_it_clips",
        ),
    ),
    42: (
        "the answer to another text",
        (f"{CANARIES}::test_answers_of_other_questions_end_the_run_at_the_second_change",),
    ),
    43: (
        "usage that is missing, or zero",
        (
            f"{LOG}::test_usage_that_is_not_stated_is_counted_by_the_bytes_sent",
            f"{ODD}::test_usage_of_zero_is_not_believed",
        ),
    ),
    44: (
        "half of a batch in error",
        (f"{FAULTS}::test_an_item_in_error_loses_its_text_and_no_other_is_asked_again",),
    ),
    45: (
        "the run is stopped or killed",
        (
            f"{LOG}::test_a_run_that_was_killed_goes_on_and_pays_nothing_twice",
            f"{LOG}::test_a_signal_stops_the_calls_and_leaves_a_good_log",
        ),
    ),
    46: ("the page of a proxy", ("fatal",)),
    47: (
        "an answer after the deadline",
        (f"{WIRE}::test_what_is_answered_after_the_deadline_counts_as_paid",),
    ),
    48: (
        "a text that gives orders",
        ("models/test_language_model_check.py::test_what_sways_a_model_is_the_one_finding",),
    ),
}
"""By number: what the server does, and the tests, or the tables with a case of that number."""


def test_the_table_has_all_48_faults() -> None:
    assert [*TABLE] == [*range(1, 49)]
    assert all(what and tests for what, tests in TABLE.values())


def statements_of(path: str) -> list[ast.stmt]:
    return ast.parse((TESTS / path).read_text(encoding="utf-8")).body


def functions_of(path: str) -> set[str]:
    return {node.name for node in statements_of(path) if isinstance(node, ast.FunctionDef)}


def numbers_of(way: str) -> set[int]:
    """Return the numbers that the cases of a table begin with."""
    [table] = [
        node.value
        for node in statements_of(FAULTS)
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == WAYS[way][0]
    ]
    assert isinstance(table, ast.Dict)
    cases = [key.value for key in table.keys if isinstance(key, ast.Constant)]
    return {int(str(case).partition(":")[0]) for case in cases}


@pytest.mark.parametrize("number", TABLE)
def test_a_fault_has_a_test_that_exists(number: int) -> None:
    for test in TABLE[number][1]:
        path, _, name = test.rpartition("::")
        if test in WAYS:
            path, name = FAULTS, WAYS[test][1]
        assert name in functions_of(path), test


@pytest.mark.parametrize("way", WAYS)
def test_each_case_of_the_tables_stands_in_the_table_of_faults(way: str) -> None:
    assert numbers_of(way) == {number for number, (_, tests) in TABLE.items() if way in tests}
