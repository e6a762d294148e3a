"""What the tests of execution stand on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.execution.stand import Stand


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    made = Stand(tmp_path)
    yield made
    await made.store.close()
