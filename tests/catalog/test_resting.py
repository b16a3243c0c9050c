"""Drafts at rest: what comes out of their files, in which order, and who may deliver them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from quark.catalog.manifest import Manifest, ManifestEntry
from quark.catalog.model import CollectionKey, Draft, RunRef
from quark.catalog.resting import Resting, RestingDrafts, WantedLink
from quark.errors import DamagedFileError

RUN = RunRef("run-1", "vision", "local")
KEY = CollectionKey("local", "vision", "digits")
_TEXT = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=12)
_ENTRIES = st.dictionaries(
    _TEXT,
    st.builds(
        lambda digest, size_bytes, extra: {
            "digest": digest,
            "size_bytes": size_bytes,
            "sha256": "0" * 64,
            "extra": extra,
        },
        _TEXT,
        st.integers(0, 2**60),
        st.dictionaries(_TEXT, st.integers(-9, 9), max_size=2),
    ),
    max_size=4,
)


def draft(id: str, **fields: object) -> Resting:
    wanted = Draft(key=KEY, type="dataset", manifest=Manifest(), run=RUN, id=id, **fields)  # type: ignore[arg-type]
    return Resting(wanted=wanted, target="http://quark.test", time_us=7)


@settings(max_examples=30, deadline=None)
@given(entries=_ENTRIES, tags=st.lists(_TEXT, max_size=3), given=st.booleans(), words=_TEXT)
def test_a_draft_comes_out_as_it_went_in(
    entries: dict[str, dict[str, object]], tags: list[str], given: bool, words: str
) -> None:
    manifest = Manifest({path: ManifestEntry(path=path, **rest) for path, rest in entries.items()})  # type: ignore[arg-type]
    wanted = Draft(
        key=CollectionKey("local", words, "x"),
        type=words,
        manifest=manifest,
        aliases=("best",),
        description=words if given else None,
        metadata={words: [1.5, None, {"deep": words}]},
        tags=tuple(tags),
        ttl_seconds=5 if given else None,
        ttl_inherited=given,
        run=RunRef("r", words, "local"),
        step=3,
        used=given,
        incremental=given,
        base_index=2 if given else None,
        id="abc",
    )
    resting = Resting(
        wanted=wanted,
        target="http://quark.test",
        time_us=12,
        distributed_id="group" if given else None,
        finished=given,
    )

    found = Resting.from_json(resting.to_json())

    assert isinstance(found.wanted, Draft)
    assert found.wanted.manifest.entries == manifest.entries
    assert found.wanted.manifest.digest == manifest.digest
    fields = set(Draft.__dataclass_fields__) - {"manifest"}
    for name in fields:
        assert getattr(found.wanted, name) == getattr(wanted, name), name
    assert (found.target, found.time_us) == (resting.target, 12)
    assert (found.distributed_id, found.finished) == (resting.distributed_id, given)
    link = Resting(
        wanted=WantedLink(id="l", source="abc", key=KEY, aliases=(words,), run=RUN),
        target="t",
        time_us=1,
    )
    assert Resting.from_json(link.to_json()) == link


def test_drafts_keep_their_order_also_through_quarantine(tmp_path: Path) -> None:
    drafts = RestingDrafts(tmp_path / "drafts")
    paths = [drafts.add(draft(id)) for id in ("z", "a", "m")]
    assert drafts.paths() == paths
    assert [drafts.read(path).id for path in paths] == ["z", "a", "m"]

    for path, reason in zip(paths[:2], ("no", "never"), strict=True):
        drafts.set_aside(path, reason)
    drafts.remove(paths[2])
    later = drafts.add(draft("b"))
    assert drafts.paths() == [later]
    assert [drafts.why_refused(path) for path in paths] == ["no", "never", None]
    assert drafts.is_refused("z")
    assert not drafts.is_refused("m")
    assert drafts.put_back() == 2
    assert [drafts.read(path).id for path in drafts.paths()] == ["z", "a", "b"]

    for path in drafts.paths():
        drafts.remove(path)
    drafts.tidy()
    assert not drafts.folder.exists()
    assert drafts.paths() == []
    drafts.tidy()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"version": 2}', b'{"version": 1}'])
def test_a_file_that_is_no_draft_is_said_to_be_damaged_and_kept(
    tmp_path: Path, content: bytes
) -> None:
    drafts = RestingDrafts(tmp_path / "drafts")
    path = drafts.add(draft("a"))
    path.write_bytes(content)

    with pytest.raises(DamagedFileError):
        drafts.read(path)
    place = drafts.set_aside(path, "it is damaged")

    assert drafts.paths() == []
    assert place.is_file()
    assert drafts.why_refused(path) is not None


def test_one_at_a_time_delivers(tmp_path: Path) -> None:
    drafts, same = RestingDrafts(tmp_path / "drafts"), RestingDrafts(tmp_path / "drafts")
    with drafts.delivering() as mine, same.delivering() as theirs:
        assert (mine, theirs) == (True, False)
    with same.delivering() as theirs:
        assert theirs
