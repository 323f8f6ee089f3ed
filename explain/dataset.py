"""Tables read as an audit reads them; code of users imports it from here."""

from explain.data.dataset import Dataset, Row, read_dataset

__all__ = ["Dataset", "Row", "read_dataset"]
