"""Draws grpo.py's log.csv and eval.csv: curves.py OUT_FOLDER writes curves.svg there (needs matplotlib)."""
import csv
import sys

import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt


def column(rows, key): return [float(r["step"]) for r in rows if r[key]], [float(r[key]) for r in rows if r[key]]


def smooth(y, n=9): return [sum(y[max(0, i - n):i + 1]) / len(y[max(0, i - n):i + 1]) for i in range(len(y))]


def main():
    if len(sys.argv) != 2: sys.exit(__doc__)
    with open(sys.argv[1] + "/log.csv") as f: log = list(csv.DictReader(f))
    with open(sys.argv[1] + "/eval.csv") as f: evals = list(csv.DictReader(f))
    panels = [("reward", "mean reward"), ("solved", "share solved (sampled)"), ("tokens_mean", "tokens an answer"), ("entropy", "entropy (nats a token)")]
    panels += [("format", "form think-and-answer"), ("thought_words", "words a thought"), ("ended", "share that ended by itself")] if any(r.get("format") for r in log) else [("ratio_clipped", "share of ratios clipped")]
    figure, axes = plt.subplots(2, (len(panels) + 2) // 2, figsize=(13, 6.5))
    for axis, (key, title) in zip(axes.flat, panels):
        x, y = column(log, key); axis.plot(x, y, color="#bbccdd", linewidth=0.8); axis.plot(x, smooth(y), color="#1f5fa0"); axis.set_title(title, fontsize=10)
    axis = axes.flat[len(panels)]
    for language, colour in (("c", "#1f5fa0"), ("python", "#b05010")):
        for part, style in (("valid", "-"), ("held", "o")):
            by_step = {}
            for r in evals:
                if r["language"] == language and r["part"] == part and r.get("stage") != "tune": by_step.setdefault(int(r["step"]), []).append((int(r["tasks"]), float(r["solved"])))
            points = [(s, sum(n * v for n, v in vs) / sum(n for n, _ in vs)) for s, vs in sorted(by_step.items())]
            if points: axis.plot(*zip(*points), style, color=colour, label=f"{language}, {part}")
    axis.set_title("solved by one greedy answer", fontsize=10); axis.legend(fontsize=8)
    for axis in axes.flat: axis.set_xlabel("step", fontsize=8); axis.tick_params(labelsize=8)
    figure.tight_layout(); figure.savefig(sys.argv[1] + "/curves.svg")


if __name__ == "__main__": main()
