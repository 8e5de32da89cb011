"""What several tests use."""

import pytest

torch = pytest.importorskip("torch")
