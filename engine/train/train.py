"""Trains the embedded model (model.py) on prepare.py's rows, for a wall-clock budget on every GPU that torchrun gives it.

usage: torchrun --nproc-per-node N train.py --data DIR --out DIR --deadline UNIX_TIME [--init FILE] [--settings FILE.json]

--init continues from a GGUF file or from an earlier leg's blocks, which may come while the model is compiled. With --mean-from the mean of the
weights over the rest of the leg is written too, as mean.blocks (and mean-rounded.blocks), on which nothing is trained. OUT receives log.csv (step, seconds, loss, MTP loss,
tokens/s, learning rate), load.csv (tokens by layer and expert), weights.blocks every --save-every seconds and at the end (with
rounded.blocks, the Q4_K values of a leg that rounds), and result.json (held-out bits a byte by language, lines that greedy
decoding would finish right, and the experts' shares by language).
Matrices are optimised by Muon (momentum orthogonalised by Newton-Schulz), the rest by AdamW. A token sees its own document
only, and the tokens of a hole count more (--counts).
"""
import argparse, contextlib, csv, functools, json, math, os, sys, threading, time

if int(os.environ.get("WORLD_SIZE", 1)) > 1:  # every process calls its GPU the first, so that they share what is compiled
    cards = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(","); number = int(os.environ["LOCAL_RANK"])
    os.environ["CUDA_VISIBLE_DEVICES"] = cards[number] if number < len(cards) and cards[number] else str(number)

import numpy as np
import torch
import torch.distributed as dist

import weights
from model import END, TOKEN, Experts, Model, Shape, boundaries
from passes import Called, fastest
from rounding import Rounding, matrices, split

ROW = 2050
LINE_BREAK = "\u010a"  # as byte-level text
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"  # a processor is only good for trying a step
RANK, WORLD = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True); p.add_argument("--out", required=True); p.add_argument("--deadline", type=float, required=True)
    p.add_argument("--init", default=""); p.add_argument("--settings", default=""); p.add_argument("--save-every", type=float, default=200)
    p.add_argument("--rows", type=int, default=40, help="a process's part of a step"); p.add_argument("--muon-rate", type=float, default=0.02); p.add_argument("--adam-rate", type=float, default=3e-3)
    p.add_argument("--decay", type=float, default=0.6, help="the share of the budget over which the rate falls to zero, at its end")
    p.add_argument("--warm-up", type=int, default=80); p.add_argument("--mtp-weight", type=float, default=0.2); p.add_argument("--mtp-part", type=int, default=4)
    p.add_argument("--balance-rate", type=float, default=0.001); p.add_argument("--seed", type=int, default=0); p.add_argument("--max-steps", type=int, default=10**9)
    p.add_argument("--no-compile", action="store_true")
    p.add_argument("--counts", type=float, nargs=4, default=(1.0, 2.0, 8.0, 20.0), help="what a token counts in the loss: text, a hole's later lines, its first line or its end, a whole line")
    p.add_argument("--round-from", type=float, default=2, help="the share of the budget from which matrices are rounded to Q4_K in the passes")
    p.add_argument("--mean-from", type=float, default=2, help="the share of the budget from which the weights' mean is taken")
    p.add_argument("--used", type=int, default=Shape.used, help="experts of a token"); p.add_argument("--used-groups", type=int, default=Shape.used_groups)
    p.add_argument("--by-sorting", action="store_true", help="choose experts by topk and sorting"); p.add_argument("--no-graph", action="store_true", help="record no CUDA graph of the passes")
    p.add_argument("--fp8", action="store_true", help="emulate products of E4M3 numbers (fp8.py)")
    if "--settings" in sys.argv:
        with open(sys.argv[sys.argv.index("--settings") + 1]) as f: p.set_defaults(**json.load(f))
    return p.parse_args()


@torch.no_grad()
def orthogonal(g, steps=5):
    """The nearest semi-orthogonal matrices to a batch, by the quintic Newton-Schulz iteration (Jordan et al., Muon, 2024)."""
    x = g.bfloat16(); tall = x.shape[-2] > x.shape[-1]
    if tall: x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.mT if tall else x


class Muon:
    """Parameters of one shape are orthogonalised as one batch: a few large products in place of thousands of small ones."""

    def __init__(self, parameters, momentum=0.95, decay=0.01):
        self.momentum, self.decay, self.groups = momentum, decay, {}
        for p in parameters: self.groups.setdefault(tuple(p.shape[-2:]), []).append(p)
        self.state = {id(p): torch.zeros_like(p) for p in parameters}

    @torch.no_grad()
    def step(self, rate):
        for shape, group in self.groups.items():
            grads, moments = [p.grad for p in group], [self.state[id(p)] for p in group]
            torch._foreach_lerp_(moments, grads, 1 - self.momentum)
            looked_ahead = torch._foreach_lerp(grads, moments, self.momentum)
            batch = orthogonal(torch.cat([u.reshape(-1, *shape) for u in looked_ahead]))
            updates = [u.reshape(p.shape).to(p.dtype) for u, p in zip(batch.split([p.numel() // (shape[0] * shape[1]) for p in group]), group)]
            torch._foreach_mul_(group, 1 - rate * self.decay)
            torch._foreach_add_(group, updates, alpha=-rate * max(1, shape[0] / shape[1]) ** 0.5)


class Rows:
    """File after file as they become ready; while the next one is not, the earlier ones again in another order. A file may be a part
    of the corpus, when it arrives in parts."""

    def __init__(self, folder, count, seed):
        self.folder, self.count, self.seed, self.epoch, self.files, self.at = folder, count, seed, 0, 0, 0
        while not os.path.exists(f"{folder}/rows_0.ok"): time.sleep(0.5)
        self.read()

    def read(self):
        ready = torch.tensor(int(os.path.exists(f"{self.folder}/rows_{self.files}.ok")), device=DEVICE)
        if WORLD > 1: dist.broadcast(ready, 0)  # every process must read the same file
        number = self.files if ready.item() else self.epoch % self.files
        self.files += ready.item()
        if RANK == 0: open(f"{self.folder}/rows_{number}.read", "w").close()  # for who packs no further ahead than there is need
        self.data = torch.from_numpy(np.fromfile(f"{self.folder}/rows_{number}.bin", dtype=np.int16).reshape(-1, ROW))
        generator = torch.Generator().manual_seed(self.seed * 1000 + self.epoch)
        self.order = torch.randperm(len(self.data), generator=generator)[RANK::WORLD]
        self.limit = len(self.data) // WORLD // self.count * self.count

    def next(self): return tuple(map(moved, self.next_on_host()))

    def next_on_host(self):
        if self.at + self.count > self.limit:
            self.epoch += 1; self.at = 0
            self.read()
        rows = self.data[self.order[self.at:self.at + self.count]]; self.at += self.count
        return with_documents(rows.int() & 0xffff)


def with_documents(rows):
    """The rows and where their documents begin, as the model takes them."""
    return rows, boundaries(rows[:, :-2] & TOKEN, 16 * len(rows))


def moved(x):
    """To the device, numbers of tokens as indices; a document's beginning stays 32 bits wide, as attention wants it."""
    x = (x.pin_memory() if DEVICE == "cuda" else x).to(DEVICE, non_blocking=True)
    return x.long() if x.ndim > 1 else x


def on_device(rows): return tuple(map(moved, with_documents(rows)))


def all_reduce(model, experts):
    """The mean of every gradient and the sum of the experts' loads, in one message."""
    tensors = [p.grad for p in model.parameters() if p.grad is not None] + [e.load for e in experts]
    flat = torch._utils._flatten_dense_tensors([t.float() for t in tensors])
    dist.all_reduce(flat); flat /= WORLD
    torch._foreach_copy_(tensors, list(torch._utils._unflatten_dense_tensors(flat, tensors)))


def state_of(model): return {k: v.detach().float().cpu().numpy() for k, v in model.state_dict().items()}


class Mean:
    """The mean of a model's weights over a part of a leg, every EVERY steps."""
    EVERY = 10

    def __init__(self, model): self.tensors, self.mean, self.n = list(model.state_dict().values()), None, 0

    @torch.no_grad()
    def add(self):
        self.n += 1
        if self.mean is None: self.mean = [t.clone() for t in self.tensors]
        else: torch._foreach_lerp_(self.mean, self.tensors, 1 / self.n)

    @torch.no_grad()
    def swap(self):
        """The mean stands in the model and the model's weights here."""
        if self.mean is None: return
        kept = [t.clone() for t in self.tensors]
        torch._foreach_copy_(self.tensors, self.mean); self.mean = kept


def save(model, folder, settings, rounding=False, prefix=""):
    """Starts to write the weights; the thread to wait for is returned."""
    state = state_of(model)
    parts = {n: [t.cpu().numpy() for t in split(v)] for n, v in matrices(((n, p.data) for n, p in model.named_parameters()), model.s)} if rounding else {}
    def write():
        name = folder + "/" + (prefix or "weights")
        weights.write_blocks(name + ".tmp", state, settings)
        os.rename(name + ".tmp", name + ".blocks")
        if parts: weights.write_rounded(f"{folder}/{prefix}{'-' * bool(prefix)}rounded.blocks", parts, settings)
    thread = threading.Thread(target=write)
    thread.start()
    return thread


@torch.no_grad()
def held_out(model, folder, windows=400):
    """By language: bits a byte, the MTP head's cross-entropy less the main head's (nats), and each layer's shares of its experts."""
    model.eval(); out = {}; experts = [m for m in model.modules() if isinstance(m, Experts)]
    for lang, bytes_per_token in json.load(open(folder + "/val_bytes_per_token.json")).items():
        ids = torch.from_numpy(np.fromfile(f"{folder}/val_{lang}.bin", dtype=np.uint16).astype(np.int64)); main, second = [], []
        starts = list(range(0, len(ids) - ROW, model.s.context))[:windows]
        for i in range(0, len(starts), 8):
            batch = torch.stack([ids[s:s + ROW] for s in starts[i:i + 8]])
            with torch.autocast(DEVICE, torch.bfloat16): a, b = model(*on_device(batch))
            main.append((a.item(), len(batch))); second.append((b.item(), len(batch)))
        mean = lambda xs: sum(x * n for x, n in xs) / sum(n for _, n in xs)
        if main: out[lang] = {"bits_per_byte": round(mean(main) / math.log(2) / bytes_per_token, 4), "mtp_gap_nats": round(mean(second) - mean(main), 4),
                              "experts": [[round(x, 3) for x in (e.load / e.load.sum()).tolist()] for e in experts]}
        for e in experts: e.load.zero_()
    model.train()
    return out


def token_pieces(folder):
    """The bytes of each token as byte-level text."""
    with open(folder + "/tokenizer.json", encoding="utf-8") as f: vocabulary = json.load(f)["model"]["vocab"]
    return [t for t, _ in sorted(vocabulary.items(), key=lambda item: item[1])]


@torch.no_grad()
def exact_holes(model, folder):
    """The share of held-out holes whose line greedy decoding would finish as it was, by language, kind and order. As in the server, the
    first tokens must agree with the word that was taken back, and the line ends with the hole's end or a line break, which can
    be part of its last token."""
    model.eval(); counts = {}; pieces = token_pieces(folder)
    refused = functools.cache(lambda forced: torch.tensor([not p.startswith(forced) and not forced.startswith(p) for p in pieces]))
    with open(folder + "/held_cases.json") as f: cases = json.load(f)
    cases.sort(key=lambda c: len(c["prompt"]) + len(c["target"]))
    for i in range(0, len(cases), 32):  # cases of like length together; what follows a case in its row changes nothing before it
        batch = cases[i:i + 32]; rows = [(c["prompt"] + c["target"])[-model.s.context:] for c in batch]
        ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
        for row, tokens in zip(ids, rows): row[:len(tokens)] = torch.tensor(tokens)
        with torch.autocast(DEVICE, torch.bfloat16): h = model.hidden(ids.to(DEVICE))
        for k, (c, tokens) in enumerate(zip(batch, rows)):
            n = len(c["target"])
            with torch.autocast(DEVICE, torch.bfloat16): score = model.head(h[k, len(tokens) - n - 1:len(tokens)]).float().cpu()
            left = c["forced"]
            for row, token in zip(score, c["target"]):
                if left: row[refused(left)] = float("-inf"); left = left[len(pieces[token]):]
            *inner, last, after = score.argmax(-1).tolist(); same = last == c["target"][-1]
            ended = pieces[last].rstrip(LINE_BREAK) == pieces[c["target"][-1]] if not same else after == END or pieces[after].startswith(LINE_BREAK)
            right = inner == c["target"][:-1]; count = counts.setdefault("/".join((c["lang"], c["kind"], c["order"])), [0, 0, 0])
            count[0] += 1; count[1] += right and ended; count[2] += right and (same or ended)
    model.train()
    return {k: {"holes": n, "exact": round(e / n, 4), "exact_but_for_the_end": round(w / n, 4)} for k, (n, e, w) in sorted(counts.items())}


def build(args):
    torch.manual_seed(args.seed)
    if DEVICE == "cuda": torch.cuda.set_device(RANK % torch.cuda.device_count())
    if WORLD > 1: dist.init_process_group("nccl")
    torch.backends.cuda.matmul.allow_tf32 = True
    model = Model(Shape(used=args.used, used_groups=args.used_groups), args.mtp_part, args.counts)
    if args.fp8: import fp8; fp8.replace(model)
    return model.to(DEVICE)


def load(model, path):
    """Weights of an earlier leg or of a model file, waited for: a lent machine can compile while they come."""
    while not os.path.exists(path): time.sleep(0.2)
    state = weights.read_blocks(path)[0] if path.endswith(".blocks") else weights.from_gguf(weights.read_gguf(path), model.s)
    model.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in state.items()})


def optimisers(model, args):
    names = {n: p for n, p in model.named_parameters()}
    matrices = [p for n, p in names.items() if p.ndim >= 2 and not n.startswith(("embed.", "head.")) and "router" not in n]
    chosen = {id(p) for p in matrices}; rest = [p for p in names.values() if id(p) not in chosen]
    return Muon(matrices), torch.optim.AdamW(rest, lr=args.adam_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True), rest


def forget_loads(model):
    for e in model.modules():
        if isinstance(e, Experts): e.load.zero_()


def warm_up(args, model, rounding, batch):
    """Compiles what the loop calls, before the budget's time runs: the passes."""
    make = lambda: Called(model, model if args.no_compile else torch.compile(model, dynamic=False), args.mtp_weight, DEVICE)
    Experts.by_ranks = not args.by_sorting
    passes = make()
    try: passes(*batch)
    except RuntimeError as error:
        if args.by_sorting or args.no_compile: raise
        print("choosing experts by ranks does not compile:", error, flush=True)
        Experts.by_ranks = False; torch._dynamo.reset()
        passes = make(); passes(*batch)
    passes.clear()
    with rounding: pass
    forget_loads(model)
    return passes


def synchronize():
    if DEVICE == "cuda": torch.cuda.synchronize()


def progress(begin, deadline):
    """The share of the budget spent, the same in every process."""
    t = torch.tensor((time.time() - begin) / (deadline - begin), device=DEVICE)
    if WORLD > 1: dist.broadcast(t, 0)
    return t.item()


def step_rates(muon, adam, rest, args, factor):
    """The optimisers' step at a share of their rates."""
    torch.nn.utils.clip_grad_norm_(rest, 1.0)
    muon.step(args.muon_rate * factor)
    for group in adam.param_groups: group["lr"] = args.adam_rate * factor
    adam.step()


def train(args, model, experts, passes, rounding, rows, log, mean):
    """Steps until the deadline: (steps, tokens by layer and expert)."""
    muon, adam, rest = optimisers(model, args)
    total_load = torch.zeros(len(experts), model.s.experts, device=DEVICE)
    begin = saved = time.time(); mark = (begin, 0); step = 0; share = 0.0
    while step < args.max_steps:
        if step % 10 == 0: share = progress(begin, args.deadline)
        if share >= 1: break
        factor = min(1.0, (step + 1) / args.warm_up) * min(1.0, (1 - share) / args.decay)
        with rounding if share >= args.round_from else contextlib.nullcontext():
            main_loss, mtp_loss = passes(*rows.next())
        if WORLD > 1: all_reduce(model, experts)
        step_rates(muon, adam, rest, args, factor)
        passes.clear()
        loads = torch.stack([e.load for e in experts]); total_load += loads
        for e in experts:  # the auxiliary-loss-free balance (V3 report, 2.1.2)
            e.bias.add_(args.balance_rate * (1 if share < 0.95 else 0) * torch.sign(e.load.mean() - e.load)); e.load.zero_()
        step += 1
        if share >= args.mean_from and step % Mean.EVERY == 0: mean.add()
        if step == 20: synchronize(); mark = (time.time(), step)
        if step % 50 == 0 and log:
            synchronize(); tokens = args.rows * model.s.context * WORLD; seconds = time.time() - begin
            rate = tokens * (step - mark[1]) / (time.time() - mark[0])
            imbalance = (loads.max(1).values / loads.mean(1)).max().item()
            log.writerow([step, round(seconds, 1), rows.epoch, round(main_loss.item(), 4), round(mtp_loss.item(), 4), step * tokens, round(rate), round(args.muon_rate * factor, 5), round(imbalance, 3)])
            if step % 200 == 0: print(f"step {step} epoch {rows.epoch} {seconds:.0f} s loss {main_loss.item():.4f} mtp {mtp_loss.item():.4f} {rate / 1e3:.0f} k tokens/s imbalance {imbalance:.2f} {torch.cuda.max_memory_allocated() / 2**30:.0f} GiB", flush=True)
            if time.time() - saved > args.save_every: save(model, args.out, vars(args)); saved = time.time()
    return step, total_load


def finish(args, model, rounding, step, total_load, mean):
    """Weights first, then what is known of them."""
    tokens = step * args.rows * model.s.context * WORLD; settings = vars(args) | {"steps": step, "tokens": tokens}
    writers = [save(model, args.out, settings, args.round_from < 1)]
    mean.swap()
    if mean.n: writers.append(save(model, args.out, settings | {"mean_of": mean.n}, args.round_from < 1, "mean"))
    with open(args.out + "/load.csv", "w") as f:
        for i, line in enumerate(total_load.cpu().tolist()): f.write(f"{i}," + ",".join(str(int(x)) for x in line) + "\n")
    for writer in writers: writer.join()
    open(args.out + "/done", "w").close()
    result = {"steps": step, "tokens": tokens}
    def judge(name):
        for prefix, within in (("", contextlib.nullcontext()), ("rounded_", rounding))[:1 + (args.round_from < 1)]:
            with within: result.update({prefix + name + "held_out": held_out(model, args.data), prefix + name + "holes": exact_holes(model, args.data)})
    if mean.n: judge("mean_"); mean.swap()
    judge("")
    with open(args.out + "/result.json", "w") as f: json.dump(result, f)
    for r in result.values():
        for of_language in r.values() if isinstance(r, dict) else (): of_language.pop("experts", None)
    print(json.dumps(result), flush=True)


def main():
    args = arguments(); os.makedirs(args.out, exist_ok=True)
    model = build(args); experts = [m for m in model.modules() if isinstance(m, Experts)]
    rounding = Rounding(model, not args.no_compile)
    rows = Rows(args.data, args.rows, args.seed); log = None
    start = time.time(); passes = warm_up(args, model, rounding, rows.next())
    if args.init: load(model, args.init)
    if DEVICE == "cuda" and not args.no_graph: passes = fastest(passes, model, [rows.next(), rows.next()]); forget_loads(model)
    if WORLD > 1: dist.barrier()
    synchronize()
    if RANK == 0:
        log = csv.writer(open(args.out + "/log.csv", "w", buffering=1))
        log.writerow(["step", "seconds", "epoch", "loss", "mtp_loss", "tokens", "tokens_per_second", "rate", "imbalance"])
        print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters, rows {len(rows.data)}, compiled in {time.time() - start:.0f} s", flush=True)
    mean = Mean(model)
    step, total_load = train(args, model, experts, passes, rounding, rows, log, mean)
    if WORLD > 1: dist.barrier()
    synchronize()
    if RANK == 0: finish(args, model, rounding, step, total_load, mean)
    else: time.sleep(2)  # the first's part of the barrier ends too
    sys.stdout.flush()
    os._exit(0)  # each by itself: the others' cards are free while the first judges


if __name__ == "__main__": main()
