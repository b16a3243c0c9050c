"""The words of metric names, all of them data: what a loss, a split, an accuracy is called.

What a word costs orders the keys that play one role: the plain name costs nothing. A word in no
table is a name that somebody made up, and costs a little.
"""

from __future__ import annotations

from typing import Final


def _words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


SPLITS: Final = {
    **dict.fromkeys(("train", "training", "trn", "tr", "trainset"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "validating", "vld"), "val"),
    **dict.fromkeys(("eval", "evaluation", "evaluate", "dev", "devset", "holdout"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "testset"), "test"),
}
GRAINS: Final = {
    **dict.fromkeys(("step", "batch", "iter", "iteration", "minibatch", "steps"), "step"),
    **dict.fromkeys(("epoch", "epochs"), "epoch"),
}
#: Word -> family, what it measures, cost.
FAMILIES: Final[dict[str, tuple[str, str, int]]] = {
    **dict.fromkeys(("loss", "losses"), ("loss", "", 0)),
    **dict.fromkeys(("crossentropy", "xent", "ce", "xe", "celoss"), ("loss", "ce", 4)),
    **dict.fromkeys(("bce", "logloss", "bceloss"), ("loss", "bce", 4)),
    "nll": ("loss", "nll", 4),
    "mse": ("loss", "mse", 6),
    "huber": ("loss", "huber", 6),
    "rmse": ("loss", "rmse", 10),
    "mae": ("loss", "mae", 10),
    **dict.fromkeys(("cost", "objective", "criterion"), ("loss", "", 6)),
    **dict.fromkeys(("bpb", "bpc"), ("loss", "bits", 10)),
    **dict.fromkeys(("accuracy", "acc", "accu", "accuracies"), ("accuracy", "accuracy", 0)),
    "prec1": ("accuracy", "accuracy", 1),
    "prec5": ("accuracy", "top5", 12),
    **dict.fromkeys(("f1", "fscore"), ("score", "f1", 1)),
    **dict.fromkeys(("auc", "auroc", "rocauc", "roc"), ("score", "auc", 1)),
    **dict.fromkeys(("ap", "map", "auprc"), ("score", "ap", 1)),
    **dict.fromkeys(("iou", "miou", "jaccard"), ("score", "iou", 1)),
    **dict.fromkeys(("rouge", "rougel", "rougelsum"), ("score", "rouge", 2)),
    **{
        word: ("score", word, 2)
        for word in _words_of(
            "dice bleu sacrebleu chrf meteor cider kappa mcc psnr ssim ndcg mrr spearman "
            "pearson spearmanr pearsonr em"
        )
    },
    "r2": ("score", "r2", 2),
    "score": ("score", "score", 6),
    "precision": ("score", "precision", 6),
    "recall": ("score", "recall", 6),
    "lr": ("learning_rate", "", 0),
    "lrs": ("learning_rate", "", 1),
    **dict.fromkeys(("gradnorm", "gnorm"), ("gradient_norm", "", 0)),
    **dict.fromkeys(("gradscale", "lossscale", "lossscaler", "ampscale"), ("grad_scale", "", 0)),
    **dict.fromkeys(("gradscaler", "scalerscale"), ("grad_scale", "", 1)),
    "throughput": ("throughput", "", 0),
    **dict.fromkeys(("wps", "tps", "fps", "ups"), ("throughput", "", 4)),
}
#: Two words that are one.
MERGES: Final = {
    ("cross", "entropy"): "crossentropy",
    ("log", "loss"): "logloss",
    ("squared", "error"): "mse",
    ("absolute", "error"): "mae",
    ("root", "mse"): "rmse",
    ("learning", "rate"): "lr",
    ("held", "out"): "holdout",
    ("hold", "out"): "holdout",
    ("exact", "match"): "em",
    ("roc", "auc"): "auc",
    ("average", "precision"): "ap",
    ("f", "1"): "f1",
    ("r", "2"): "r2",
    ("prec", "1"): "prec1",
    ("prec", "5"): "prec5",
    ("bits", "per"): "bpb",
    ("matthews", "correlation"): "mcc",
    ("loss", "scale"): "lossscale",
    ("loss", "scaler"): "lossscale",
    ("grad", "scale"): "gradscale",
    ("gradient", "scale"): "gradscale",
    ("grad", "scaler"): "gradscaler",
    ("amp", "scale"): "ampscale",
    ("amp", "scaler"): "ampscale",
    ("scaler", "scale"): "scalerscale",
    ("value", "function"): "vf",
    ("log", "likelihood"): "likelihood",
}
#: Words that tell nothing against a name, and what they cost.
NEUTRAL: Final = {
    **dict.fromkeys(("metrics", "metric", "m", "global", "overall", "model", "current"), 1),
    **dict.fromkeys(("total", "sum", "mean", "avg", "average", "macro", "micro", "weighted"), 2),
    **dict.fromkeys(("raw", "lm", "categorical", "sparse", "binary", "token", "multiclass"), 2),
    **dict.fromkeys(("classification", "samples", "full", "inner", "main", "language", "base"), 3),
    **dict.fromkeys(("ema", "smooth", "smoothed", "running", "moving", "rolling"), 6),
    **dict.fromkeys(("mlm", "seq2seq", "value", "curve", "balanced", "end"), 4),
}
COMPONENTS: Final = _words_of(
    "box bbox cls class per obj objectness dfl rpn roi mask seg semantic reg regression aux "
    "auxiliary contrastive recon reconstruction rec commit commitment vq codebook perceptual lpips "
    "style content l1 l2 giou loc ctc att attention distill distillation penalty regularization "
    "regularizer regularisation balance balancing router z tv smoothness dim category label "
    "layer head extra ner pos tagger parser group rank worker ood noisy clean"
)
#: With one of these a name is about something else.
FOREIGN: Final = _words_of(
    "best min max minimum maximum lowest highest std stddev var variance ratio scale weight "
    "weights gap diff difference delta improvement change changed target threshold count num n nb "
    "time runtime seconds secs duration slope ppl perplexity error err errors vs hist histogram "
    "patience percentile momentum beta eps wd decay mult multiplier factor coef coefficient "
    "lambda warmup initial init ece rewards grad gradient gradients steps plateau skipped spike "
    "spikes window likelihood landscape memory flops"
)
#: Losses that need not fall in a healthy run: reinforcement learning, adversaries, divergences.
UNSUPERVISED: Final = _words_of(
    "policy pg vf value qf q1 q2 qf1 qf2 critic actor td entropy ent kl kld reward advantage alpha "
    "adv adversarial gan real fake icm curiosity ppo surrogate elbo temperature dis"
)
DISCRIMINATORS: Final = frozenset(("d", "disc", "discriminator", "dis", "errd", "lossd", "dloss"))
GENERATORS: Final = frozenset(("g", "gen", "generator", "errg", "lossg", "gloss"))
GRADIENTS: Final = frozenset(("grad", "grads", "gradient", "gradients"))
WHOLE_GRADIENT: Final = _words_of(
    "total global l2 norm 2 2.0 l model all overall optim optimizer opt value avg mean raw "
    "unclipped before preclip clip clipping clipped after postclip epoch step batch iter metrics"
)
LATE: Final = frozenset(("clip", "clipping", "clipped", "after", "postclip", "epoch"))
#: What a training gets through.
THINGS: Final = _words_of(
    "samples sample images image img imgs tokens token tok toks examples example items sequences "
    "frames words sentences batches batch iterations iters iter its it steps step graphs rows"
)
SECOND: Final = frozenset(("second", "sec", "s"))
LOADING: Final = frozenset(("data", "dataloader", "loader", "dataloading", "loading", "load"))
DURATIONS: Final = frozenset(("time", "duration", "ms", "latency", "dt", "milliseconds"))
MILLISECONDS: Final = frozenset(("ms", "milliseconds", "msec"))
TIME_PLACES: Final = _words_of(
    "system runtime perf performance timing timings profile profiler train training speed "
    "mean avg total per"
)

#: Splits written together with what they split: ``trainloss``, ``valacc``.
TOGETHER: Final = {
    f"{split}{word}": (split, word) for split in SPLITS for word in ("loss", "acc", "accuracy")
}
