"""The media of runs, as the shim and the writers store them: found, drawn, served, refused."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, strategies as st

import quark.compat.wandb as wandb
from quark import ArtifactStore, TrainingSession
from quark.compat.wandb import environment, kept_files, run_keeper, run_place
from quark.dashboard.app import dashboard_app
from quark.dashboard.headers import SANDBOX_POLICY
from quark.dashboard.payload_answer import FILE_POLICY
from quark.dashboard.views import media_index
from quark.dashboard.views.media_index import kind_of_value
from quark.dashboard.views.media_items import items_of
from quark.dashboard.views.media_reading import ReadTable
from quark.dashboard.views.media_tables import _filter, _order
from quark.errors import ArtifactNotFoundError, RunNotFoundError, SchemaValidationError
from quark.storage.embedded import EmbeddedStore
from tests.dashboard.asking import ask, place_of

PAGE = "<h1>7</h1><script>parent.tripped = 1</script>"
LABELS = {1: "cat", 2: "<i>dog</i>"}
ROWS = 250


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    """A run of the shim with one of everything, and a native one."""
    pytest.importorskip("PIL")
    folder = tmp_path_factory.mktemp("media")
    environment.forget()
    options = wandb.Settings(console="off", silent=True)
    run = wandb.init(id="rich", project="p", dir=str(folder), settings=options)
    sound = folder / "sound.wav"
    sound.write_bytes(b"RIFF" + bytes(range(256)) * 40)
    chance = random.Random(0)
    for step in range(3):
        run.log({"loss": 1.0 / (step + 1)}, step=2 * step)
        run.log(
            {"images": [_image(step), _image(step + 1)], "hist": _histogram(step)}, step=2 * step
        )
        run.log({"said": f"at {step}"}, step=2 * step)
    table = wandb.Table(columns=["id", "word", "sure", "picture"])
    for number in range(ROWS):
        sure = float("nan") if number == 7 else None if number == 8 else chance.random()
        table.add_data(number, f"word {number % 5}", sure, _image(0) if number < 3 else None)
    more = wandb.Table(columns=["n"], log_mode="INCREMENTAL")
    for number in range(3):
        more.add_data(number)
        run.log({"more": more})
    run.log(
        {"table": table, "page": wandb.Html(PAGE, inject=False), "sound": wandb.Audio(str(sound))}
    )
    run.finish()
    native = TrainingSession.start_run(project="p", storage_dir=folder)
    with native as session, ArtifactStore(session) as artifacts:
        session.update_run(name="native")
        artifacts.log_histogram("layers/w", bins=[0.0, 1.0, 2.0], counts=[3, 4], step=5)
        artifacts.store("note", "why", "<script>no</script>")
    store = EmbeddedStore(folder / ".quark")
    yield store
    store.close()
    environment.forget()


def _image(seed: int) -> Any:
    pixels = np.random.default_rng(seed).integers(0, 255, (20, 40, 3), dtype=np.uint8)
    mask = np.zeros((20, 40), dtype=np.uint8)
    mask[:5] = 2
    boxes = [
        {
            "position": {"minX": 4, "maxX": 20, "minY": 5, "maxY": 10},
            "domain": "pixel",
            "class_id": 1,
        },
        {
            "position": {"middle": [0.5, 0.5], "width": 0.2, "height": 0.4},
            "class_id": 2,
            "scores": {"sure": 0.5},
            "box_caption": "<u>here</u>",
        },
    ]
    return wandb.Image(
        pixels,
        caption=f"<b>{seed}</b>",
        boxes={"found": {"box_data": boxes, "class_labels": LABELS}},
        masks={"truth": {"mask_data": mask, "class_labels": LABELS}},
    )


def _histogram(step: int) -> Any:
    return wandb.Histogram(np_histogram=([1, 2, step], [0.0, 1.0, 2.0, 3.0]))


def value(store: EmbeddedStore, key: str, run_id: str = "rich", **query: Any) -> dict[str, Any]:
    return ask(store, "/runs/{run_id}/media/value", {"run_id": run_id}, key=key, **query)


def test_the_shims_words_are_those_of_the_shim() -> None:
    assert media_index.PATH_NAME == run_keeper.PATH_NAME
    assert media_index.FILE_REMOVED == kept_files.FILE_REMOVED
    assert media_index.FILES == run_place.FILES


def test_every_key_says_what_it_is_and_where_it_is(store: EmbeddedStore) -> None:
    found = ask(store, "/runs/{run_id}/media", {"run_id": "rich"})

    kinds = {one["key"]: one["kind"] for one in found["keys"]}
    assert kinds == {
        "images": "image",
        "hist": "histogram",
        "said": "value",
        "more": "table",
        "table": "table",
        "page": "html",
        "sound": "audio",
    }
    assert next(one for one in found["keys"] if one["key"] == "images")["steps"] == [0, 2, 4]
    with pytest.raises(RunNotFoundError):
        ask(store, "/runs/{run_id}/media", {"run_id": "gone"})


def test_a_value_is_the_last_one_up_to_a_step(store: EmbeddedStore) -> None:
    said = {step: value(store, "said", step=step)["items"][0]["value"] for step in range(-1, 9)}

    assert said == {step: f"at {min(2, max(0, step) // 2)}" for step in range(-1, 9)}
    assert value(store, "said")["step"] == 4
    hist = value(store, "hist")["items"]
    assert hist == [{"kind": "histogram", "bins": [0.0, 1.0, 2.0, 3.0], "counts": [1, 2, 2]}]
    with pytest.raises(ArtifactNotFoundError, match="nothing under 'loss'"):
        value(store, "loss")


def test_an_image_comes_with_its_layers(store: EmbeddedStore) -> None:
    items = value(store, "images", step=2)["items"]

    assert [item["caption"] for item in items] == ["<b>1</b>", "<b>2</b>"]
    first = items[0]
    assert (first["width"], first["height"]) == (40, 20)
    names = {str(number): name for number, name in LABELS.items()}
    (mask,) = first["masks"]
    assert mask["name"] == "truth"
    assert mask["labels"] == names
    assert mask["path"].endswith(".mask.png")
    (layer,) = first["boxes"]
    assert layer["labels"] == names
    in_pixels, in_shares = layer["boxes"]
    assert in_pixels["edges"] == pytest.approx([4 / 40, 5 / 20, 20 / 40, 10 / 20])
    assert in_shares["edges"] == pytest.approx([0.4, 0.3, 0.6, 0.7])
    assert in_shares["scores"] == {"sure": 0.5}
    assert in_shares["caption"] == "<u>here</u>"


def test_what_is_damaged_is_left_out_and_never_raises(store: EmbeddedStore) -> None:
    from quark.dashboard.views.media import FileReader
    from quark.dashboard.views.media_index import media_of

    place = place_of(store)
    found, read = media_of(place, "rich"), FileReader(place, "rich")
    strange: list[Any] = [
        {"_type": "image-file"},
        {"_type": "image-file", "path": "../../etc/passwd", "boxes": {"a": 3}, "masks": [1]},
        {"_type": "image-file", "path": "https://evil.invalid/x.png"},
        {"_type": "images/separated", "filenames": 3},
        {"_type": "images/separated", "filenames": ["a", 7], "captions": 5, "all_boxes": None},
        {"_type": "histogram", "values": ["<b>"], "bins": [0, 1]},
        {"_type": "histogram", "values": [1, 2], "bins": [0, 1]},
        {"_type": ["list"]},
        {"_type": "lost-media", "kind": "Image", "reason": "disk"},
        {"_type": "of a later version", "path": "x"},
        [{"_type": "video-file", "path": "a.mp4"}, 3],
        None,
        "x" * 100_000,
    ]
    for one in strange:
        kind_of_value(one)
        for item in items_of(one, found.files, read):
            assert item["kind"]
            assert "sha256" not in item
            assert len(item.get("value", "")) < 21_000
    assert items_of(strange[2], found.files, read)[0]["reference"] == "https://evil.invalid/x.png"
    assert items_of(strange[1], found.files, read)[0]["missing"]


# -- tables --------------------------------------------------------------------------------------


def table(store: EmbeddedStore, key: str = "table", **query: Any) -> dict[str, Any]:
    (item,) = value(store, key)["items"]
    return ask(store, "/runs/{run_id}/media/table", {"run_id": "rich"}, path=item["paths"], **query)


def test_a_table_comes_by_the_window_with_its_media(store: EmbeddedStore) -> None:
    whole = table(store, limit=1000)
    window = table(store, offset=100, limit=20)

    assert whole["columns"] == ["id", "word", "sure", "picture"]
    assert whole["numeric"] == [True, False, True, False]
    assert whole["total"] == whole["matched"] == ROWS
    assert window["rows"] == whole["rows"][100:120]
    assert whole["rows"][7][2] == "NaN"
    assert whole["rows"][8][2] is None
    assert whole["rows"][0][3]["media"]["kind"] == "image"
    assert whole["rows"][3][3] is None
    parts = table(store, "more")
    assert parts["rows"] == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("query", "keeps"),
    [
        pytest.param({"filter": ["0:>=240"]}, lambda row: row[0] >= 240, id="number"),
        pytest.param({"filter": ["0:<3"]}, lambda row: row[0] < 3, id="below"),
        pytest.param({"filter": ["0:= 17"]}, lambda row: row[0] == 17, id="equal"),
        pytest.param({"filter": ["0:!=17"]}, lambda row: row[0] != 17, id="unequal"),
        pytest.param({"filter": ["1:=WORD 3"]}, lambda row: row[1] == "word 3", id="text"),
        pytest.param(
            {"filter": ["1:3", "0:<100"]}, lambda row: "3" in row[1] and row[0] < 100, id="both"
        ),
        pytest.param(
            {"filter": ["2:>0.5"]},
            lambda row: isinstance(row[2], float) and row[2] > 0.5,
            id="holes",
        ),
        pytest.param({"search": "ORD 2"}, lambda row: row[1] == "word 2", id="search"),
    ],
)
def test_rows_are_found_as_a_loop_finds_them(
    store: EmbeddedStore, query: dict[str, Any], keeps: Any
) -> None:
    rows = table(store, limit=1000)["rows"]

    found = table(store, limit=1000, **query)

    assert found["rows"] == [row for row in rows if keeps(row)]
    assert found["matched"] == len(found["rows"])
    assert found["matched"] not in (0, ROWS)


@pytest.mark.parametrize("descending", ["0", "1"])
def test_rows_are_sorted_with_holes_at_the_end(store: EmbeddedStore, descending: str) -> None:
    found = table(store, limit=1000, sort=2, descending=descending)

    cells = [row[2] for row in found["rows"]]
    assert cells[-1] is None
    numbers = [cell for cell in cells if isinstance(cell, float)]
    assert numbers == sorted(numbers, reverse=descending == "1")
    assert len(numbers) == ROWS - 2
    assert cells.index("NaN") == (0 if descending == "1" else ROWS - 2)


NUMBERS = st.none() | st.integers(-(2**70), 2**70) | st.floats()


@given(
    st.lists(NUMBERS, max_size=30) | st.lists(NUMBERS | st.text() | st.booleans(), max_size=30),
    st.booleans(),
)
def test_any_column_has_one_order(cells: list[Any], descending: bool) -> None:
    whole = ReadTable(["a"], [[cell] for cell in cells], 0)

    places = _order(whole, "", [], 0, descending)

    def rank(cell: Any) -> Any:
        if isinstance(cell, (bool, int, float)):
            return (1, 0, "") if cell != cell else (0, cell, "")
        return (2, 0, cell.casefold())

    filled = [place for place, cell in enumerate(cells) if cell is not None]
    empty = [place for place, cell in enumerate(cells) if cell is None]
    ranked = sorted(filled, key=lambda place: rank(cells[place]), reverse=descending)
    assert places == ranked + empty


def test_what_is_no_table_or_no_filter_is_refused(store: EmbeddedStore) -> None:
    (page,) = value(store, "page")["items"]
    ask_table = "/runs/{run_id}/media/table"
    with pytest.raises(SchemaValidationError, match="is no table"):
        ask(store, ask_table, {"run_id": "rich"}, path=page["path"])
    with pytest.raises(SchemaValidationError, match="path is missing"):
        ask(store, ask_table, {"run_id": "rich"})
    with pytest.raises(ArtifactNotFoundError):
        ask(store, ask_table, {"run_id": "rich"}, path="/etc/passwd")
    for text in ("9:x", "x", "-1:x", "²:x", ""):
        with pytest.raises(SchemaValidationError, match="filter"):
            _filter(text, 4)


# -- files ---------------------------------------------------------------------------------------


class Anybody:
    """A desk that lets everybody in."""

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store

    async def place(self, request: Any) -> Any:
        return place_of(self._store)


def fetch(store: EmbeddedStore, path: str, **more: Any) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(dashboard_app(Anybody(store)))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(f"/ui/api{path}", **more)

    return asyncio.run(asked())


def of_file(store: EmbeddedStore, item: dict[str, Any], headers: Any = None, **query: str) -> Any:
    params = {"path": item["path"], **query}
    return fetch(store, "/runs/rich/media/file", params=params, headers=headers)


def test_html_comes_as_a_page_of_nobody_or_is_saved(store: EmbeddedStore) -> None:
    (item,) = value(store, "page")["items"]

    page = of_file(store, item, as_="", **{"as": "page"})
    shown, saved = of_file(store, item), of_file(store, item, **{"as": "saved"})

    assert page.text == PAGE
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"] == SANDBOX_POLICY
    assert "allow-same-origin" not in page.headers["content-security-policy"]
    for other in (shown, saved):
        assert other.headers["content-type"] == "application/octet-stream"
        assert other.headers["content-disposition"].startswith("attachment;")
        assert other.headers["content-security-policy"] == FILE_POLICY
    for answer in (page, shown, saved):
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("wanted", "is_page"),
    [("iframe", True), ("empty", True), ("document", False), ("embed", False), ("object", False)],
)
def test_html_comes_as_a_page_into_a_frame_alone_and_never_into_a_tab(
    store: EmbeddedStore, wanted: str, is_page: bool
) -> None:
    (item,) = value(store, "page")["items"]

    answer = of_file(store, item, headers={"Sec-Fetch-Dest": wanted}, **{"as": "page"})

    assert answer.text == PAGE
    assert answer.headers["content-type"].startswith("text/html") is is_page
    assert ("content-disposition" in answer.headers) is not is_page
    policy = SANDBOX_POLICY if is_page else FILE_POLICY
    assert answer.headers["content-security-policy"] == policy
    assert answer.headers["vary"] == "Sec-Fetch-Dest", "no cache gives one for the other"


def test_no_other_file_becomes_a_page_however_it_is_asked_for(store: EmbeddedStore) -> None:
    (image, _) = value(store, "images")["items"]
    (whole,) = value(store, "table")["items"]

    as_page, data = of_file(store, image, **{"as": "page"}), of_file(store, whole, **{"as": "page"})

    assert as_page.headers["content-type"] == "image/png"
    assert data.headers["content-type"] == "application/octet-stream"
    for answer in (as_page, data):
        assert "text/html" not in answer.headers["content-type"]
        assert answer.headers["content-security-policy"] == FILE_POLICY
        assert answer.headers["content-disposition"].startswith("attachment;")


def test_a_file_comes_by_ranges_as_players_ask_for_them(store: EmbeddedStore) -> None:
    (item,) = value(store, "sound")["items"]
    whole = of_file(store, item)
    content = whole.content
    assert whole.status_code == 200
    assert whole.headers["accept-ranges"] == "bytes"
    assert int(whole.headers["content-length"]) == len(content) == item["size"]

    size = len(content)
    for header, start, last in (
        ("bytes=0-99", 0, 99),
        ("bytes=1000-", 1000, size - 1),
        ("bytes=-17", size - 17, size - 1),
        ("bytes=5-5", 5, 5),
        (f"bytes=10-{10**18}", 10, size - 1),
    ):
        answer = of_file(store, item, {"Range": header})
        assert (answer.status_code, answer.content) == (206, content[start : last + 1])
        assert answer.headers["content-range"] == f"bytes {start}-{last}/{size}"
    for header in ("bytes=0-1,3-4", "bytes=9-2", "lines=0-3", "bytes=-", "bytes=-0"):
        assert of_file(store, item, {"Range": header}).content == content
    beyond = of_file(store, item, {"Range": f"bytes={len(content)}-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(content)}"
    stale = of_file(store, item, {"Range": "bytes=0-9", "If-Range": '"other"'})
    assert (stale.status_code, stale.content) == (200, content)


def test_a_file_is_kept_by_browsers_only_while_it_stays_the_same(store: EmbeddedStore) -> None:
    (item,) = value(store, "sound")["items"]

    fixed, other = of_file(store, item, sha256=item["sha256"]), of_file(store, item)

    assert "immutable" in fixed.headers["cache-control"]
    assert other.headers["cache-control"] == "private, no-cache"
    again = of_file(store, item, {"If-None-Match": other.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "../run.db",
        "../../../../../../etc/passwd",
        "/etc/passwd",
        "media/../../run.db",
        "..\\..\\run.db",
        "media/html/%2e%2e/%2e%2e/run.db",
        "media",
        "",
        "x\0y",
        "a" * 5000,
    ],
)
def test_only_files_on_the_runs_list_are_served(store: EmbeddedStore, path: str) -> None:
    answer = fetch(store, "/runs/rich/media/file", params={"path": path})

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.text) < 1000


def test_a_file_of_another_run_is_not_served(store: EmbeddedStore) -> None:
    (item,) = value(store, "page")["items"]
    native = next(run.id for run in store.records.list_runs() if run.name == "native")

    answer = fetch(store, f"/runs/{native}/media/file", params={"path": item["path"]})

    assert answer.status_code == 404


def test_a_payload_that_is_gone_says_so(store: EmbeddedStore, tmp_path: Path) -> None:
    (item,) = value(store, "sound")["items"]
    with store.blobs.open(item["sha256"]) as file:
        kept = file.read()
    run_dir = store.run_dir("rich")
    assert run_dir is not None
    store.blobs.delete(item["sha256"])
    try:
        from_folder = of_file(store, item)
        (run_dir / "files" / item["path"]).unlink()
        gone = of_file(store, item)
    finally:
        store.blobs.put(io.BytesIO(kept))

    assert from_folder.content == kept
    assert gone.status_code == 404
    assert "not in the store any more" in gone.json()["error"]["message"]


# -- artifacts that were stored by themselves, and runs that go on ---------------------------------


def test_native_histograms_are_media_and_other_payloads_are_not(store: EmbeddedStore) -> None:
    native = next(run.id for run in store.records.list_runs() if run.name == "native")

    (only,) = ask(store, "/runs/{run_id}/media", {"run_id": native})["keys"]

    assert (only["key"], only["kind"], only["steps"]) == ("histogram/layers/w", "histogram", [5])
    items = value(store, only["key"], native)["items"]
    assert items == [{"kind": "histogram", "bins": [0.0, 1.0, 2.0], "counts": [3, 4]}]


def test_what_a_run_logs_later_is_found_without_reading_it_all_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EmbeddedStore(tmp_path / ".quark")
    began = TrainingSession.start_run(project="p", storage_dir=tmp_path)
    with began as session, ArtifactStore(session) as artifacts:
        artifacts.log_histogram("w", bins=[0.0, 1.0], counts=[1], step=0)
        session.flush()
        names = {"run_id": session.run_id}
        first = ask(store, "/runs/{run_id}/media", names)
        seen: list[int] = []
        records = type(store.records)
        scan = records.scan

        def watched(self: Any, run_id: str, kinds: Any, *, after: int = 0) -> Any:
            seen.append(after)
            return scan(self, run_id, kinds, after=after)

        monkeypatch.setattr(records, "scan", watched)
        artifacts.log_histogram("w", bins=[0.0, 1.0], counts=[2], step=9)
        artifacts.log_histogram("w", bins=[0.0, 1.0], counts=[3], step=4)
        session.flush()
        second = ask(store, "/runs/{run_id}/media", names)
    store.close()

    assert [one["steps"] for one in first["keys"]] == [[0]]
    assert [one["steps"] for one in second["keys"]] == [[0, 4, 9]]
    assert seen
    assert min(seen) > 0
