"""Trains small tokenizers and writes what the tokenizers library makes of texts.

    pip install tokenizers==0.22.2
    python tokenizers_generate.py
"""

import json
import random
from pathlib import Path

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

here = Path(__file__).parent
corpus = [
    "The quick brown fox jumps over the lazy dog, and it didn't care at all.",
    "Numbers such as 3, 33, 333 and 3333 are parted; so is 12.5 or 1,000,000.",
    "Naïve café façade, Äpfel und Öl, нещо на Български, 我想在apple工作.",
    "for (let i = 0; i < n; i++) {\n\tsum += values[i];\n}\n",
] * 20

alphabet = list("aAbeEstTnN ..,'’!?-_=#@\t\n\r  \u00a0\u200d\u3000éÄßſKñøи我想在工क्षि３½🦙😶️\u0301\ud7a3\u0e01")
texts = ["", " ", "  Hello world", "I've 'RE it'S we'Ll", "a\n\n \n b\r\n", "<s>x</s> <extra> <pad>"]
source = random.Random(7)
for _ in range(150):
    texts.append("".join(source.choices(alphabet, k=source.randint(1, 30))))


def bpe(pre, normalizer=None, **kind):
    tokenizer = Tokenizer(models.BPE(**kind))
    tokenizer.pre_tokenizer = pre
    if normalizer:
        tokenizer.normalizer = normalizer
    return tokenizer


def finish(name, tokenizer, trainer):
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_tokens([AddedToken("<extra>", lstrip=True, rstrip=True), AddedToken("quick", single_word=True)])
    (here / f"{name}.tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    ids = [tokenizer.encode(text).ids for text in texts]
    return {"name": name, "ids": ids}


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
special = ["<s>", "</s>", "<pad>"]
byte_trainer = trainers.BpeTrainer(
    vocab_size=420, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
)
results = []
llama3 = bpe(
    pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]),
    normalizers.NFC(),
)
llama3.decoder = decoders.ByteLevel()
llama3.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
results.append(finish("bpe_llama3", llama3, byte_trainer))

roberta = bpe(pre_tokenizers.ByteLevel(add_prefix_space=True))
roberta.decoder = decoders.ByteLevel()
roberta.post_processor = processors.RobertaProcessing(sep=("</s>", 1), cls=("<s>", 0))
results.append(finish("bpe_roberta", roberta, byte_trainer))

words = Tokenizer(models.WordPiece(unk_token="[UNK]"))
words.normalizer = normalizers.BertNormalizer(lowercase=True)
words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
words.decoder = decoders.WordPiece()
words.post_processor = processors.TemplateProcessing(
    single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
)
results.append(finish("wordpiece", words, trainers.WordPieceTrainer(
    vocab_size=300, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False
)))

signs = bpe(
    None, normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
    unk_token="<unk>", fuse_unk=True, byte_fallback=True,
)
signs.decoder = decoders.Sequence([
    decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0),
])
signs.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
results.append(finish("bpe_signs", signs, trainers.BpeTrainer(
    vocab_size=300, special_tokens=["<unk>", *special, *(f"<0x{b:02X}>" for b in range(256))][:200], show_progress=False
)))

(here / "encodings.json").write_text(json.dumps({"texts": texts, "tokenizers": results}), encoding="utf-8")
