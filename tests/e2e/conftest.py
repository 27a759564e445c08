# SPDX-License-Identifier: Apache-2.0
import pytest

from halogi import Server


@pytest.fixture
def server():
    with Server() as s:
        yield s


@pytest.fixture(scope="module")
def shared():
    """One server for a whole file; tests keep apart by their labels."""
    with Server() as s:
        yield s
