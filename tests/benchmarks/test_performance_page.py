"""What the performance page adds to its tables is read off them."""

import importlib.util
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "docs" / "extensions" / "performance_page.py"

PAGE = """<!-- begin softmax -->
## Softmax, into an output

**1 thread each**

| shape | ours | scipy | scipy / ours       | ours / onnx           | ours / copy |
| ----- | ---- | ----- | ------------------ | --------------------- | ----------- |
| 3 x 4 | 1.00 | 8.00  | 8.00x (>= 8: met)  | 1.25x (<= 1.1: SHORT) | 1.50x       |
| 5 x 6 | 1.00 | 7.00  | 7.00x (>= 8: SHORT) | -                    | 1.50x       |
| 7 x 8 | 1.00 | -     | not reached (SHORT) | -                    | 1.50x       |

<!-- end softmax -->
"""


@pytest.fixture
def page():
    if not SOURCE.exists():
        pytest.skip("the sources of the documentation are not here")
    spec = importlib.util.spec_from_file_location("performance_page", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_where_we_lose_lists_what_is_short_or_slower_and_no_floor(page):
    listed = page.losses(PAGE).splitlines()
    link = "- [Softmax, into an output](#softmax-into-an-output), 1 thread each, "
    assert [line for line in listed if line.startswith("-")] == [
        link + "3 x 4: ours / onnx 1.25x (<= 1.1: short)",
        link + "5 x 6: scipy / ours 7.00x (>= 8: short)",
        link + "7 x 8: scipy / ours not reached (short)",
    ]


def test_a_page_without_losses_has_no_list(page):
    assert page.losses(PAGE.replace("SHORT", "met").replace("1.25x", "0.50x")) == ""


def test_each_table_gets_its_picture(page, tmp_path):
    pytest.importorskip("matplotlib")
    text = page.with_pictures(PAGE, tmp_path)
    assert "(generated/performance/softmax-1.svg)" in text
    assert "<svg" in (tmp_path / "softmax-1.svg").read_text()
    faster = [c.faster for c in page.comparisons(page.TABLE.findall(PAGE)[0][1])]
    assert faster[:3] == [8.0, 0.8, 7.0]
