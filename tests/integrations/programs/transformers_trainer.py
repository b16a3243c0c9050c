"""A tiny GPT-2, trained by transformers' Trainer, which does all the logging."""

import json

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments, set_seed

set_seed(0)
tokens = torch.randint(0, 16, (96, 8))


class Copies(torch.utils.data.Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return {"input_ids": self.rows[index], "labels": self.rows[index]}


model = GPT2LMHeadModel(
    GPT2Config(
        vocab_size=16, n_positions=8, n_embd=16, n_layer=1, n_head=2, loss_type="ForCausalLM"
    )
)
trainer = Trainer(
    model=model,
    args=TrainingArguments(
        output_dir="out",
        run_name="tiny-gpt",
        report_to="wandb",
        per_device_train_batch_size=8,
        num_train_epochs=2,
        logging_steps=3,
        eval_strategy="epoch",
        save_strategy="epoch",
        learning_rate=1e-2,
        use_cpu=True,
        disable_tqdm=True,
    ),
    train_dataset=Copies(tokens[:64]),
    eval_dataset=Copies(tokens[64:]),
)
trainer.train()

with open("said.json", "w") as file:
    json.dump({"log": trainer.state.log_history, "parameters": model.num_parameters()}, file)
