"""The attributions of several texts: a list that shows itself as one table."""

from typing import SupportsIndex, overload

from explain.record.attributions import Attribution
from explain.record.own_reports import require_own_reports

__all__ = ["Attributions"]


class Attributions(list[Attribution]):
    """A list of attributions; a notebook shows it, and any slice of it, as one table."""

    @overload
    def __getitem__(self, place: SupportsIndex) -> Attribution: ...

    @overload
    def __getitem__(self, place: slice) -> "Attributions": ...

    def __getitem__(self, place: SupportsIndex | slice) -> "Attribution | Attributions":
        if isinstance(place, slice):
            return Attributions(super().__getitem__(place))
        return super().__getitem__(place)

    def _repr_html_(self) -> str | None:
        """Return the table; nothing for an empty list, which is shown as any other."""
        require_own_reports()
        from reports import notebook_html

        return notebook_html(self) if self else None
