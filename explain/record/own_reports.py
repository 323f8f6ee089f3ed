"""The way from what computes to what renders."""

from importlib.metadata import packages_distributions

from explain.errors import ExplainError

__all__ = ["require_own_reports"]


def require_own_reports() -> None:
    """Check that the package `reports` on the path is the one that came with this one.

    Raises
    ------
    ExplainError
        If it belongs to another distribution: `reports` is a common name.
    """
    import reports

    if getattr(reports, "DISTRIBUTION", None) != "explain-audit":
        owners = packages_distributions().get("reports", [])
        owner = next((name for name in owners if name != "explain-audit"), "no distribution")
        raise ExplainError(
            f"the package 'reports' at {reports.__file__} belongs to {owner}, not to "
            "explain-audit; uninstall it, or run from another folder"
        )
