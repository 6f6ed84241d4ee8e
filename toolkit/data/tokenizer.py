"""Training a SentencePiece BPE tokenizer with the competition's settings."""

import io

import sentencepiece as spm

from toolkit.errors import GolfError


def train_tokenizer(documents: list[str], vocab_size: int) -> bytes:
    """A SentencePiece model of exactly `vocab_size` pieces; the same documents give the same bytes.

    Byte fallback, split digits and nmt_nfkc as in the competition's vocabularies. `GolfError` when the documents cannot
    fill the vocabulary or do not fit in it.
    """
    model = io.BytesIO()
    try:
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(documents),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocab_size,
            byte_fallback=True,
            split_digits=True,
            normalization_rule_name="nmt_nfkc",
            character_coverage=0.999,
            add_dummy_prefix=False,
            hard_vocab_limit=False,
            pad_id=0,
            bos_id=1,
            eos_id=2,
            unk_id=3,
            max_sentence_length=1 << 20,  # whole documents; the default drops those over 4192 bytes
            num_threads=1,  # the model file records this number; a second of work at most
            minloglevel=2,
        )
    except RuntimeError as error:
        raise GolfError(f"tokenizer: expected documents for {vocab_size} pieces, found: {error}") from None
    found = len(spm.SentencePieceProcessor(model_proto=model.getvalue()))
    if found != vocab_size:
        raise GolfError(f"tokenizer: expected documents for {vocab_size} pieces, found enough for {found}; add text")
    return model.getvalue()
