"""The tokenizer's settings, seen from what it does."""

import pytest
import sentencepiece as spm

from toolkit.data.tokenizer import train_tokenizer
from toolkit.errors import GolfError

DOCUMENTS = [f"def area(width, height):\n    return width * height  # case {n} of 1999" for n in range(40)]


def test_settings_of_the_competition(capfd: pytest.CaptureFixture[str]) -> None:
    model = train_tokenizer(DOCUMENTS, 320)
    assert capfd.readouterr() == ("", "")
    tokenizer = spm.SentencePieceProcessor(model_proto=model)
    assert len(tokenizer) == 320
    assert [tokenizer.pad_id(), tokenizer.bos_id(), tokenizer.eos_id(), tokenizer.unk_id()] == [0, 1, 2, 3]
    assert tokenizer.encode("1999", out_type=str) == list("1999")  # split digits
    assert tokenizer.encode("é", out_type=str) == ["<0xC3>", "<0xA9>"]  # byte fallback
    assert tokenizer.encode("def", out_type=str)[0][0] != "▁"  # no dummy prefix
    assert tokenizer.decode(tokenizer.encode("ﬁx \n\t it")) == "fix it"  # nmt_nfkc


def test_same_documents_give_the_same_bytes() -> None:
    assert train_tokenizer(DOCUMENTS, 320) == train_tokenizer(DOCUMENTS, 320)


def test_long_documents_count() -> None:
    model = train_tokenizer(["zyx " * 2000], 267)  # 4 control pieces, 256 bytes, 4 letters, 3 merges
    assert "▁zyx" in spm.SentencePieceProcessor(model_proto=model).encode("zyx zyx", out_type=str)


@pytest.mark.parametrize(("vocab_size", "found"), [(100, "Vocabulary size is smaller"), (30_000, "found enough for ")])
def test_refuses_a_vocabulary_that_the_text_does_not_fit(vocab_size: int, found: str) -> None:
    with pytest.raises(GolfError, match=f"tokenizer: expected documents for {vocab_size} pieces, .*{found}"):
        train_tokenizer(DOCUMENTS, vocab_size)
