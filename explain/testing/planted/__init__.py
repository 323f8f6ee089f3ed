"""Classifiers with a known defect, each with the data that shows it: the control of an audit.

An audit that finds nothing says little, unless it would have found what is there. Each of these
classifiers has one thing wrong with it, and an audit must report it in one of `Planted.sections`;
the one called ``clean`` has nothing wrong with it, and an audit must report nothing::

    import explain
    from explain.testing.planted import PLANTED, planted

    for name in PLANTED:
        case = planted(name)
        audit = explain.audit(case.classifier, case.rows, instances=0, **case.options)
        print(name, [finding.claim for finding in audit.findings])

Each file of this folder holds the cases of one kind of table.
"""

from collections.abc import Mapping

from explain.errors import ConfigurationError, nearest
from explain.testing.planted import (
    data_cases,
    fairness_cases,
    language_model_cases,
    messages_cases,
    selective_cases,
    shortcut_cases,
)
from explain.testing.planted.base import Maker, Planted

__all__ = ["PLANTED", "Planted", "planted"]

_MAKERS: Mapping[str, Maker] = {
    **messages_cases.CASES,
    **data_cases.CASES,
    **fairness_cases.CASES,
    **language_model_cases.CASES,
    **selective_cases.CASES,
    **shortcut_cases.CASES,
}

PLANTED: tuple[str, ...] = tuple(_MAKERS)
"""The names of all of them, the clean one first."""


def planted(name: str, seed: int = 0, rows: int = 500) -> Planted:
    """Return a classifier with a known defect, and the data that shows it.

    Parameters
    ----------
    name : str
        One of `PLANTED`.
    seed : int
        Seed of the messages, and of what else is drawn.
    rows : int
        Messages of the table; the training table has as many.

    Raises
    ------
    ConfigurationError
        If there is no such defect, or the table would be empty.

    Examples
    --------
    >>> case = planted("label_swap")
    >>> case.truth
    'Says “billing” for “delivery”, and the other way round.'
    >>> import explain
    >>> audit = explain.audit(case.classifier, case.rows, instances=0, **case.options)
    >>> any(section.findings for section in audit.sections if section.id in case.sections)
    True
    """
    if name not in _MAKERS:
        raise ConfigurationError(f"no defect is called {name!r}; {nearest(name, PLANTED)}")
    if rows < 1:
        raise ConfigurationError(f"rows={rows} leaves the table empty; pass 1 or more")
    return _MAKERS[name](seed, rows)
