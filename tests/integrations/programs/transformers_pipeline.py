"""A pipeline of transformers whose calls are logged."""

import json
from pathlib import Path

import wandb
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    Pipeline,
    PreTrainedTokenizerFast,
    pipeline,
)
from wandb.integration.huggingface import autolog

words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "good", "bad", "film"])}
tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
tokenizer.pre_tokenizer = Whitespace()
fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")
config = BertConfig(
    vocab_size=5, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
)
model = BertForSequenceClassification(config)
ask = pipeline("text-classification", model=model, tokenizer=fast)
before = Pipeline.__call__

autolog({"project": "asked"})
said = [ask("good film"), ask(["good film", "bad film"], top_k=2)]
try:
    ask(3)
except ValueError as error:
    print("refused", type(error).__name__)
print("run", wandb.run.id)
autolog.disable()
ask("not logged")
assert Pipeline.__call__ is before
assert wandb.run is None
Path("said.json").write_text(json.dumps(said))
