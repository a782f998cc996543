"""Draws a leg's folder (train.py's log.csv and result.json) as one SVG: losses, the experts' balance, and each layer's shares of its
experts by language.

usage: curves.py FOLDER OUT.svg   (needs matplotlib)
"""
import csv
import json
import sys

import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt


def smooth(y, n=5): return [sum(y[max(0, i - n):i + 1]) / len(y[max(0, i - n):i + 1]) for i in range(len(y))]


def main():
    if len(sys.argv) != 3: sys.exit(__doc__)
    with open(sys.argv[1] + "/log.csv") as f: log = list(csv.DictReader(f))
    with open(sys.argv[1] + "/result.json") as f: held = json.load(f)["held_out"]
    tokens = [float(r["tokens"]) / 1e6 for r in log]
    figure, axes = plt.subplots(1, 2 + len(held), figsize=(4 * (2 + len(held)), 3.6))
    for key, name in (("loss", "next token"), ("mtp_loss", "the one after (MTP)")):
        y = [float(r[key]) for r in log]
        line, = axes[0].plot(tokens, smooth(y), label=name); axes[0].plot(tokens, y, color=line.get_color(), alpha=0.3, linewidth=0.8)
    axes[0].set_title("loss (nats, a hole's tokens weighted)", fontsize=10); axes[0].legend(fontsize=8)
    axes[1].plot(tokens, [float(r["imbalance"]) for r in log]); axes[1].set_title("an expert's largest load over the mean", fontsize=10)
    for axis in axes[:2]: axis.set_xlabel("million tokens", fontsize=8)
    for axis, (language, result) in zip(axes[2:], held.items()):
        image = axis.imshow(result["experts"], aspect="auto", vmin=0, vmax=0.15, cmap="viridis")
        axis.set_title(f"shares of the experts, held-out {language}", fontsize=10); axis.set_xlabel("expert", fontsize=8); axis.set_ylabel("MoE layer, the last is the MTP block's", fontsize=8)
    figure.colorbar(image, ax=axes[-1]); figure.tight_layout(); figure.savefig(sys.argv[2], metadata={"Date": None})


if __name__ == "__main__": main()
