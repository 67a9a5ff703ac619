"""What tests of the page of the policy share with those of quality."""

from tests.dashboard.quality.conftest import open_page

__all__ = ["open_page"]
