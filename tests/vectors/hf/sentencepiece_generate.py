"""Trains a small SentencePiece vocabulary.

    pip install sentencepiece==0.2.3
    python sentencepiece_generate.py
"""

from pathlib import Path

from sentencepiece import SentencePieceTrainer

here = Path(__file__).parent
corpus = [
    "the quick brown fox jumps over the lazy dog and then some more words follow here",
    "hello world, this is a small text with few words",
] * 20

SentencePieceTrainer.train(
    sentence_iterator=iter(corpus),
    model_prefix=str(here / "small.tokenizer"),
    vocab_size=300,
    model_type="bpe",
    byte_fallback=True,
    unk_id=0,
    bos_id=1,
    eos_id=2,
    hard_vocab_limit=False,
    normalization_rule_name="identity",
)
(here / "small.tokenizer.vocab").unlink()
