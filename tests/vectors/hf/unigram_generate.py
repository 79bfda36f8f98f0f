"""Trains a small Unigram vocabulary, wraps it as XLM-RoBERTa's tokenizer is saved, and writes what
transformers makes of texts.

    pip install sentencepiece==0.2.3 transformers==5.24.0
    python unigram_generate.py
"""

import json
import random
import shutil
import tempfile
from pathlib import Path

from sentencepiece import SentencePieceTrainer
from transformers import XLMRobertaTokenizer

here = Path(__file__).parent
corpus = [
    "the quick brown fox jumps over the lazy dog and then some more words follow here",
    "hello world, this is a small text with few words, isn't it? 3 33 333",
    "четыре бита достаточно для многих вещей, как бы наивно это ни звучало",
    "我想在苹果公司工作 四位就够了",
    "naïve café façade, Äpfel und Öl, vier Bits genügen für vieles",
] * 20
# A few rules instead of all of NFKC, whose table takes a quarter of a megabyte.
rules = {"\t": " ", "\n": " ", "\u3000": " ", "\u00a0": " ", "\ufb01": "fi", "½": "1⁄2", "\uff21": "A", "e\u0301": "\u00e9"}

with tempfile.TemporaryDirectory() as scratch:
    table = Path(scratch) / "rules.tsv"
    table.write_text("".join(
        "\t".join(" ".join(f"{ord(c):04X}" for c in text) for text in rule) + "\n" for rule in rules.items()
    ))
    prefix = Path(scratch) / "sentencepiece.bpe"
    SentencePieceTrainer.train(
        sentence_iterator=iter(corpus),
        model_prefix=str(prefix),
        vocab_size=240,
        model_type="unigram",
        character_coverage=1.0,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        hard_vocab_limit=False,
        normalization_rule_tsv=str(table),
        num_threads=1,
    )
    shutil.copy(f"{prefix}.model", here / "unigram.sentencepiece.bpe.model")
    (Path(scratch) / "sentencepiece.bpe.vocab").unlink()
    table.unlink()
    tokenizer = XLMRobertaTokenizer.from_pretrained(scratch, clean_up_tokenization_spaces=True)
    saved = Path(scratch) / "saved"
    tokenizer.save_pretrained(saved)
    for name in ["tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(saved / name, here / f"unigram.{name}")

source = random.Random(7)
alphabet = list("aAbeEstTnN .,'!?-éÄßñшиж我想四工½ﬁＡ🦙３\u3000\u00a0\t")
texts = ["hello world", "  the lazy   dog ", "Ünïcode ﬁsh ½", "vier Bits", "我想在工作", "", "наивно 🦙🦙"]
texts += ["".join(source.choices(alphabet, k=source.randint(1, 30))) for _ in range(60)]
ids = [tokenizer.encode(text) for text in texts]
(here / "unigram.encodings.json").write_text(json.dumps({"texts": texts, "ids": ids}), encoding="utf-8")
