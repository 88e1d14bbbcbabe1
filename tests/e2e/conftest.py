"""The chapters assert as tests do, so a failure shows the values."""

import pytest

pytest.register_assert_rewrite("tests.e2e.chapters")
