"""Which metric plays which role: names as libraries and people write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from quark.analyzers.role_names import read_name
from quark.analyzers.role_words import FAMILIES
from quark.analyzers.roles import MAX_KEYS, ROLES, choose_roles, comparable_keys

#: A role and names that play it where nothing else was logged.
ALONE = {
    "train_loss": """
        loss | Loss | LOSS | train_loss | train/loss | training/loss | Loss/train | loss/train |
        training_loss | trainLoss | TrainLoss | train.loss | train-loss | Train Loss | trainloss |
        tr_loss | trn_loss | train_loss_step | train_loss_epoch | train/loss_step | batch/loss |
        epoch/loss | total_loss | loss/total | losses/total_loss | loss/train/total | nll_loss |
        train/nll | cross_entropy | train/cross_entropy | CrossEntropyLoss | ce_loss | bce | mse |
        train/mse | cost | objective | lm loss | train_inner/loss | loss_metrics/global_avg_loss |
        Train/Samples/train_loss | running_loss | loss_avg | train_loss_ema | raw_loss |
        train/mean_squared_error | train-logloss | box_loss | train/focal_loss | loss_value |
        metrics/train/loss | train/total_loss | main/loss | lm-loss-training/lm loss
    """,
    "val_loss": """
        val_loss | val/loss | validation/loss | validation_loss | valid_loss | valid/loss |
        eval_loss | eval/loss | evaluation/loss | test_loss | test/loss | Loss/test | Loss/val |
        dev_loss | dev/loss | holdout_loss | held_out/loss | valLoss | ValLoss | valloss |
        vld_loss |
        epoch/val_loss | epoch_val_loss | val_loss_epoch | val.loss | Val Loss | val/nll |
        val-mse | validation_0-logloss | lm loss validation | loss/validation |
        metrics/eval/CrossEntropy | train/val_loss | eval_wikitext_loss | val/box_loss |
        ema_val_loss | test/mae
    """,
    "val_accuracy": """
        val_accuracy | val_acc | val/acc | val/accuracy | valid/top1 | test_acc1 | eval_top1 |
        validation/acc@1 | Accuracy/val | Val Acc@1 | valAcc | ValAccuracy | valacc | eval_top5 |
        val_sparse_categorical_accuracy | epoch/val_accuracy | test_accuracy | accuracy/top1 |
        val/prec@1 | eval_accuracy | metrics/eval/MulticlassAccuracy | accuracy_top-1 | val_top_1 |
        val/balanced_accuracy | eval/mean_token_accuracy | val_binary_accuracy
    """,
    "train_accuracy": """
        train_accuracy | train/acc | Accuracy/train | train_acc1 | training/top1 | trainAcc |
        train/categorical_accuracy | train_acc_epoch | metrics/train/MulticlassAccuracy
    """,
    "val_score": """
        val_f1 | val/f1_score | eval_f1 | eval_rouge1 | eval_rougeL | val/auc | val_auroc |
        val/roc_auc | val/mIoU | val_iou | val/dice | eval/bleu | metrics/mAP50(B) |
        metrics/mAP_0.5 | metrics/precision | val_map | test/f1_macro | bbox/AP50 |
        eval_exact_match | bbox/AP | coco/bbox_mAP_50 | val_r2 | val/psnr |
        eval_matthews_correlation | val/MulticlassF1Score
    """,
    "learning_rate": """
        lr | LR | learning_rate | learning-rate | learningRate | train/lr | train/learning_rate |
        lr-AdamW | lr-AdamW/pg1 | lr-SGD | train/lr/pg0 | lr/pg0 | lr_0 | x/lr0 | lr/group_0 |
        optim/lr | optimizer/learning_rate | epoch/learning_rate | lr-DecoupledAdamW/group0 |
        Train/Samples/lr | base_lr | train_lr | learning_rate/learning_rate | scheduler/lr
    """,
    "gradient_norm": """
        grad_norm | gradnorm | train/grad_norm | gradient_norm | global_grad_norm | gradients/norm |
        total_grad_norm | grad_norm/total | grad_2.0_norm_total | train/gnorm | grad-norm |
        l2_norm/grad/global | gradNorm | train/global_gradient_norm | optim/grad_norm |
        grad_norm_clipped | grad-norm/grad-norm
    """,
    "grad_scale": """
        grad_scale | loss_scale | loss-scale | train/loss_scale | amp/scale | scaler/scale |
        amp_scale | train/grad_scale | grad_scaler | scaler_scale | loss-scale/loss-scale
    """,
    "step_time_ms": """
        step_time_ms | system/step_time_ms | system/runtime/step_time_ms | train/step_time_ms |
        batch_time_ms | perf/iter_time_ms | iteration_time_ms | dt_ms | step_ms
    """,
    "data_time_ms": "data_time_ms | system/data_time_ms | dataloader_time_ms | data_wait_ms",
    "compute_time_ms": "compute_time_ms | system/runtime/compute_time_ms",
    "throughput": """
        throughput | samples_per_second | train/tokens_per_sec | images/sec | train/wps |
        throughput/samples_per_sec | train_samples_per_second | tokens_per_second_per_gpu |
        throughput(tps) | images/s | its/sec
    """,
    "epoch": "epoch | train/epoch | trainer/epoch | epoch/epoch | current_epoch | Epoch",
}

#: Names that play no role, whatever stands beside them.
NOTHING = """
    d_loss | g_loss | loss_d | loss_G | D/loss | lossD | lossG | errD | errG | disc_loss |
    gen_loss |
    generator/loss | discriminator_loss | adv_loss | policy_loss | train/policy_gradient_loss |
    value_loss | train/value_loss | actor_loss | critic_loss | losses/qf1_loss | kl_loss | td_loss |
    entropy_loss | train/entropy | losses/entropy | rollout/ep_rew_mean | reward | charts/SPS |
    charts/episodic_return | approx_kl | perplexity | ppl | val_ppl | eval/perplexity |
    lm loss validation ppl | lm loss vs samples | best_val_loss | min_val_loss | valid/best_loss |
    best/accuracy | max_accuracy | loss_std | loss_ratio | loss_weight | val_loss_delta |
    early_stopping/best_loss | num_losses | global_step | train/global_step | step | iteration |
    trainer/global_step | mfu | memory | gpu_mem | n_parameters | eta_seconds | time | step_time |
    data_time | iter_time | eval_runtime | eval_steps_per_second | eval_samples_per_second |
    min_lr |
    lr_mult | lr-SGD-momentum | lr_decay | initial_lr | train_min_lr | mom_0 | wd_0 |
    grad_norm/layer1.weight | gradients/fc1.weight | critic_grad_norm | gradients/layer0/norm_mean |
    train/scale | train/logit_scale | temperature | loss_scale_window | rewards/accuracies |
    rewards/margins | rewards/chosen | val_error | top1_err | wer | train_wall | time/epoch |
    epoch_time | val_step_time_ms | accuracy_gap | gradient_count | x | weights/norm | ece |
    parameters/encoder.weight | system/cpu.percent | loss_time_ms | _runtime | _timestamp |
    network_bytes_per_second | time/step_s
    """

#: What a library logs, and the key that plays each role.
LIBRARIES: dict[str, tuple[str, dict[str, str]]] = {
    "keras": (
        "loss | accuracy | val_loss | val_accuracy | lr",
        {
            "train_loss": "loss",
            "train_accuracy": "accuracy",
            "val_loss": "val_loss",
            "val_accuracy": "val_accuracy",
            "learning_rate": "lr",
        },
    ),
    "keras-wandb": (
        "batch/loss | batch/accuracy | batch/learning_rate | epoch/epoch | epoch/loss | "
        "epoch/accuracy | epoch/val_loss | epoch/val_accuracy",
        {
            "train_loss": "batch/loss",
            "train_accuracy": "batch/accuracy",
            "val_loss": "epoch/val_loss",
            "val_accuracy": "epoch/val_accuracy",
            "learning_rate": "batch/learning_rate",
            "epoch": "epoch/epoch",
        },
    ),
    "keras-several-outputs": (
        "age_loss | loss | sex_loss | sex_accuracy | val_age_loss | val_loss | val_sex_accuracy",
        {
            "train_loss": "loss",
            "val_loss": "val_loss",
            "train_accuracy": "sex_accuracy",
            "val_accuracy": "val_sex_accuracy",
        },
    ),
    "transformers": (
        "loss | grad_norm | learning_rate | epoch | eval_loss | eval_accuracy | eval_f1 | "
        "eval_runtime | eval_samples_per_second | train_runtime | train_samples_per_second | "
        "total_flos | train_loss",
        {
            "train_loss": "loss",
            "gradient_norm": "grad_norm",
            "learning_rate": "learning_rate",
            "epoch": "epoch",
            "val_loss": "eval_loss",
            "val_accuracy": "eval_accuracy",
            "val_score": "eval_f1",
            "throughput": "train_samples_per_second",
        },
    ),
    "transformers-wandb": (
        "train/loss | train/grad_norm | train/learning_rate | train/epoch | train/global_step | "
        "eval/loss | eval/runtime | train_loss | train/train_loss",
        {
            "train_loss": "train/loss",
            "gradient_norm": "train/grad_norm",
            "learning_rate": "train/learning_rate",
            "epoch": "train/epoch",
            "val_loss": "eval/loss",
        },
    ),
    "lightning": (
        "epoch | train_loss_step | lr-AdamW | lr-AdamW/pg1 | lr-AdamW-momentum | "
        "train_loss_epoch | val_loss | val_acc | trainer/global_step",
        {
            "epoch": "epoch",
            "train_loss": "train_loss_step",
            "learning_rate": "lr-AdamW",
            "val_loss": "val_loss",
            "val_accuracy": "val_acc",
        },
    ),
    "timm": (
        "epoch | train_loss | eval_loss | eval_top1 | eval_top5 | lr",
        {
            "epoch": "epoch",
            "train_loss": "train_loss",
            "val_loss": "eval_loss",
            "val_accuracy": "eval_top1",
            "learning_rate": "lr",
        },
    ),
    "masked-autoencoder": (
        "train_lr | train_min_lr | train_loss | test_loss | test_acc1 | test_acc5 | epoch | "
        "n_parameters",
        {
            "learning_rate": "train_lr",
            "train_loss": "train_loss",
            "val_loss": "test_loss",
            "val_accuracy": "test_acc1",
            "epoch": "epoch",
        },
    ),
    "ultralytics": (
        "train/box_loss | train/cls_loss | train/dfl_loss | metrics/precision(B) | "
        "metrics/recall(B) | metrics/mAP50(B) | metrics/mAP50-95(B) | val/box_loss | "
        "val/cls_loss | val/dfl_loss | lr/pg0 | lr/pg1 | lr/pg2",
        {
            "train_loss": "train/box_loss",
            "val_loss": "val/box_loss",
            "val_score": "metrics/mAP50(B)",
            "learning_rate": "lr/pg0",
        },
    ),
    "detectron2": (
        "total_loss | loss_cls | loss_box_reg | loss_rpn_cls | loss_rpn_loc | lr | data_time | "
        "time | eta_seconds | validation_loss | bbox/AP | bbox/AP50",
        {
            "train_loss": "total_loss",
            "val_loss": "validation_loss",
            "learning_rate": "lr",
            "val_score": "bbox/AP",
        },
    ),
    "mmdetection": (
        "lr | base_lr | data_time | time | memory | loss | loss_cls | loss_bbox | acc | "
        "grad_norm | coco/bbox_mAP | coco/bbox_mAP_50 | epoch | iter",
        {
            "learning_rate": "lr",
            "train_loss": "loss",
            "train_accuracy": "acc",
            "gradient_norm": "grad_norm",
            "val_score": "coco/bbox_mAP",
            "epoch": "epoch",
        },
    ),
    "mmpretrain": (
        "loss | lr | accuracy/top1 | accuracy/top5",
        {"train_loss": "loss", "learning_rate": "lr", "val_accuracy": "accuracy/top1"},
    ),
    "fastai": (
        "epoch | train_loss | raw_loss | valid_loss | accuracy | lr_0 | mom_0 | wd_0 | eps_0",
        {
            "epoch": "epoch",
            "train_loss": "train_loss",
            "val_loss": "valid_loss",
            "val_accuracy": "accuracy",
            "learning_rate": "lr_0",
        },
    ),
    "nanogpt": (
        "iter | train/loss | val/loss | lr | mfu",
        {"train_loss": "train/loss", "val_loss": "val/loss", "learning_rate": "lr"},
    ),
    "megatron": (
        "learning-rate | learning-rate vs samples | lm loss | lm loss vs samples | loss-scale | "
        "grad-norm | lm loss validation | lm loss validation ppl | iteration-time",
        {
            "learning_rate": "learning-rate",
            "train_loss": "lm loss",
            "grad_scale": "loss-scale",
            "gradient_norm": "grad-norm",
            "val_loss": "lm loss validation",
        },
    ),
    "composer": (
        "loss/train/total | metrics/train/LanguageCrossEntropy | "
        "metrics/eval/LanguageCrossEntropy | lr-DecoupledAdamW/group0 | "
        "l2_norm/grad/global | l2_norm/grad/model.wte.weight | "
        "throughput/samples_per_sec | time/batch",
        {
            "train_loss": "loss/train/total",
            "val_loss": "metrics/eval/LanguageCrossEntropy",
            "learning_rate": "lr-DecoupledAdamW/group0",
            "gradient_norm": "l2_norm/grad/global",
            "throughput": "throughput/samples_per_sec",
        },
    ),
    "fairseq": (
        "train_inner/loss | train_inner/ppl | train/nll_loss | train/loss | train/gnorm | "
        "train/loss_scale | train/wps | train/clip | valid/loss | valid/nll_loss | valid/best_loss",
        {
            "train_loss": "train/loss",
            "gradient_norm": "train/gnorm",
            "grad_scale": "train/loss_scale",
            "throughput": "train/wps",
            "val_loss": "valid/loss",
        },
    ),
    "preferences": (
        "train/loss | train/rewards/chosen | train/rewards/accuracies | train/rewards/margins",
        {"train_loss": "train/loss"},
    ),
    "stable-baselines": (
        "rollout/ep_rew_mean | rollout/ep_len_mean | train/loss | train/value_loss | "
        "train/policy_gradient_loss | train/entropy_loss | train/approx_kl | train/learning_rate",
        {"learning_rate": "train/learning_rate"},
    ),
    "cleanrl": (
        "charts/learning_rate | losses/value_loss | losses/policy_loss | losses/entropy | "
        "charts/episodic_return | charts/SPS",
        {"learning_rate": "charts/learning_rate"},
    ),
    "grpo": (
        "train/loss | train/reward | train/reward_std | train/kl | train/grad_norm",
        {"gradient_norm": "train/grad_norm"},
    ),
    "gan": ("d_loss | g_loss | loss | epoch", {"epoch": "epoch"}),
    "pix2pix": ("G_GAN | G_L1 | D_real | D_fake | lr", {"learning_rate": "lr"}),
    "vae": (
        "loss | recon_loss | kl_loss | val_loss",
        {"train_loss": "loss", "val_loss": "val_loss"},
    ),
    "diffusion": (
        "train/loss | train/loss_vb | train/grad_norm | ema_decay",
        {"train_loss": "train/loss", "gradient_norm": "train/grad_norm"},
    ),
    "validation-and-test": (
        "train/loss | test/loss | val/loss | test/acc | val/acc | train/acc",
        {
            "train_loss": "train/loss",
            "val_loss": "val/loss",
            "val_accuracy": "val/acc",
            "train_accuracy": "train/acc",
        },
    ),
    "test-alone": (
        "Loss/train | Loss/test | Accuracy/train | Accuracy/test",
        {
            "train_loss": "Loss/train",
            "val_loss": "Loss/test",
            "train_accuracy": "Accuracy/train",
            "val_accuracy": "Accuracy/test",
        },
    ),
    "per-class": (
        "val/acc_class_0 | val/acc_class_1 | val/acc | train/loss | val/loss_class_3 | val/loss",
        {"val_accuracy": "val/acc", "train_loss": "train/loss", "val_loss": "val/loss"},
    ),
    "smoothed": (
        "train/loss_ema | train/loss_smoothed | train/loss | val_loss_avg | val_loss",
        {"train_loss": "train/loss", "val_loss": "val_loss"},
    ),
    "accuracy-of-nobody-knows": ("train_loss | accuracy", {"train_loss": "train_loss"}),
}


def names(table: str) -> list[str]:
    return [name.strip() for name in table.split("|")]


@pytest.mark.parametrize(
    ("role", "key"), [(role, name) for role, table in ALONE.items() for name in names(table)]
)
def test_a_name_alone_plays_its_role(role: str, key: str) -> None:
    assert dict(choose_roles([key]).keys) == {role: (key,)}


@pytest.mark.parametrize("key", names(NOTHING))
def test_what_is_no_plain_metric_plays_no_role(key: str) -> None:
    assert dict(choose_roles([key]).keys) == {}


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_a_library_logs_is_understood(library: str) -> None:
    keys, expected = LIBRARIES[library]

    roles = choose_roles(names(keys))

    assert {role: roles.key(role) for role in roles.keys} == expected


def test_every_word_for_a_measure_is_read() -> None:
    for word, (family, _, _) in FAMILIES.items():
        reading = read_name(f"train/{word}")
        assert reading is not None, word
        assert reading.family == family, word


def test_overrides_win_and_end_guessing() -> None:
    keys = ["loss", "energy", "val_loss"]

    chosen = choose_roles(
        keys, {"train_loss": ("nothing", "energy", "loss"), "val_loss": ("nothing",)}
    )

    assert chosen.all("train_loss") == ("energy", "loss")
    assert chosen.key("val_loss") is None
    assert choose_roles(keys).key("train_loss") == "loss"


def test_pairs_measure_the_same_at_the_same_grain() -> None:
    roles = choose_roles(
        ["train/loss", "train/mse", "val/mse", "train/loss_epoch", "val/loss_epoch", "val/huber"]
    )

    assert comparable_keys(roles, "train_loss", "val_loss") == (
        ("train/loss_epoch", "val/loss_epoch"),
        ("train/mse", "val/mse"),
        ("train/loss", "val/loss_epoch"),
    )
    assert comparable_keys(choose_roles(["loss", "val_mse"]), "train_loss", "val_loss") == ()
    by_hand = choose_roles(
        ["energy", "energy2"], {"train_loss": ("energy",), "val_loss": ("energy2",)}
    )
    assert comparable_keys(by_hand, "train_loss", "val_loss") == (("energy", "energy2"),)


def test_ten_thousand_keys_give_few() -> None:
    keys = [f"layers.{n // 100}/unit.{n % 100}_loss" for n in range(10_000)]

    roles = choose_roles([*keys, "loss"])

    assert roles.key("train_loss") == "loss"
    assert len(roles.all("train_loss")) == MAX_KEYS


@settings(max_examples=60)
@given(st.lists(st.text(max_size=40), max_size=8))
def test_any_names_are_taken_and_the_same_way_each_time(keys: list[str]) -> None:
    first = choose_roles(keys)

    assert first == choose_roles(keys)
    assert set(first.keys) <= set(ROLES)
    assert all(key in keys for found in first.keys.values() for key in found)
