"""The version of the distribution, as it stands in records and bundles."""

from typing import Final

__all__ = ["VERSION"]

VERSION: Final = "0.1.0"
