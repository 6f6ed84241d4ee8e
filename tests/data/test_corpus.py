"""The embedded corpus: what is taken, how it is cut, and that validation stays apart from training."""

import sysconfig
from pathlib import Path

import pytest

from toolkit.data import corpus
from toolkit.data.corpus import embedded_corpus, help_documents, library_documents, split_corpus, split_source
from toolkit.errors import GolfError

LIBRARY = Path(sysconfig.get_paths()["stdlib"])


def paragraphs(name: str, count: int, words: int = 40, indent: str = "") -> str:
    return "\n\n".join(f"{indent}{name} paragraph {n} " + "word " * words for n in range(count))


def test_documents_end_between_top_level_statements() -> None:
    text = "\n\n".join(f"def f{n}():\n" + "    x = 'some text'\n" * 30 + "\n    return x" for n in range(20))
    documents = split_source(text)
    assert len(documents) > 3
    assert all(document.startswith("def f") and document.endswith("return x") for document in documents)
    assert " ".join(documents) == " ".join(text.split())


def test_a_long_class_is_cut_at_a_blank_line() -> None:
    documents = split_source("class A:\n\n" + paragraphs("method", 60, indent="    "))
    lengths = [len(document) for document in documents]
    assert 3500 < min(lengths[:-1]) <= max(lengths) < 4500
    assert all(document.startswith("method paragraph") for document in documents[1:])


def test_tables_and_scraps_are_left_out() -> None:
    table = "TABLE = (\n" + "    0x00: 0x01,\n" * 1000 + ")"
    assert split_source("# a scrap") == []
    assert split_source(table) == []
    document = paragraphs("prose", 3)
    assert split_source(document + "\n\n" + table) == split_source(document)


def test_takes_sources_whatever_order_they_come_in(tmp_path: Path) -> None:
    names = ["a.py", "b/c.py", "b/d.py"]
    for folder, order in [("one", names), ("two", names[::-1])]:
        for name in order:
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(paragraphs(name, 3))
        for skipped in ["test/e.py", "b/tests/f.py", "site-packages/g.py", "pydoc_data/topics.py", "h.txt"]:
            path = tmp_path / folder / skipped
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(paragraphs(skipped, 3))
        (tmp_path / folder / "latin.py").write_bytes(b"# -*- coding: latin-1 -*- \xe9" * 20)
    one, two = library_documents(tmp_path / "one"), library_documents(tmp_path / "two")
    assert sorted(one) == names
    assert split_corpus(one) == split_corpus(two)


def test_files_are_held_out_whole_and_repeats_dropped() -> None:
    shared = "a licence that every file repeats " * 10
    files = {f"f{n}": [f"file {n} part {k} " * 60 for k in range(6)] + [shared] for n in range(300)}
    val, train = split_corpus(files)
    held_out = {document.split()[1] for document in val if document != shared}
    assert len(val) == len(set(val)) < len(train) == len(set(train))
    assert held_out.isdisjoint(document.split()[1] for document in train)
    assert (val + train).count(shared) == 1
    assert corpus.VAL_BYTES <= sum(map(len, val)) < corpus.VAL_BYTES + 5000
    assert len(held_out) >= len(val) // corpus.VAL_DOCUMENTS_PER_FILE


def test_the_library_of_this_python() -> None:
    val, train = embedded_corpus()
    val_bytes, train_bytes = (sum(len(document.encode()) for document in split) for split in (val, train))
    assert corpus.VAL_BYTES <= val_bytes < 200_000
    assert train_bytes > 5_000_000
    assert set(val).isdisjoint(train)
    assert max(map(len, val + train)) < 12_000
    files = library_documents(LIBRARY) | help_documents()
    held_out = [name for name, documents in files.items() if set(documents) & set(val)]
    assert len(held_out) >= 20
    for name in held_out:  # no other part of a held-out file is trained on, unless another file has the same text
        others = {document for other in files.keys() - set(held_out) for document in files[other]}
        assert not set(files[name]) & set(train) - others


def test_says_so_where_python_has_no_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    with pytest.raises(GolfError, match=r"expected the standard library's sources, .* found \d+"):
        embedded_corpus()
