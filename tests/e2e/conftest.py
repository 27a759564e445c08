# SPDX-License-Identifier: Apache-2.0
import pytest

pytest.register_assert_rewrite("logql_rows")
from halogi import Server  # noqa: E402


@pytest.fixture
def server():
    with Server() as s:
        yield s


@pytest.fixture(scope="module")
def shared():
    """One server for a whole file; tests keep apart by their labels."""
    with Server() as s:
        yield s
