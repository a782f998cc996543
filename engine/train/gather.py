"""Filters packages on a lent machine as corpus.py does here, part by part as they arrive, into shards that pack_parts.sh packs.

usage: gather.py DIR PROCS: DIR/raw/N/ holds whole packages and then DIR/raw/N.ok comes, N from 0 and below what DIR/raw/parts says; DIR/raw/banned.npy
       and held.zst are what is kept out. What stands in DIR/parts/0.zst to K.zst is known already; the first new shard is K + 1. DIR/parts/all ends it.
       gather.py prepare OUT SOURCE CORPUS BENCHMARKS PARTS BYTES: OUT/raw with PARTS parts of BYTES at most, of packages in SOURCE that
       CORPUS/packages lacks, and what is kept out, of CORPUS/held.json
"""
import collections, glob, hashlib, json, multiprocessing, os, subprocess, sys, time

import numpy as np

import corpus

LARGEST = 40e6  # bytes of a package
SHARD = 130e6  # bytes of a shard at least, but for the last: a step on rows of one or two packages overloads few experts, and a part should have every language


def packages_of(folder):
    """{package: its archives}, of those that are whole."""
    found = collections.defaultdict(list)
    sources = {os.path.basename(d).split("_")[0] for d in glob.glob(folder + "/*.dsc") if corpus.whole(d)}
    for path in sorted(glob.glob(folder + "/*.tar.*") + glob.glob(folder + "/*.deb")):
        name = os.path.basename(path).split("_")[0]
        if path.endswith((".asc", ".partial")) or ".debian.tar" in path or (".tar." in path and name not in sources): continue
        found[name].append(path)
    return found


def known_of(line):
    row = json.loads(line)
    return row["lang"], len(row["text"]), corpus.fingerprint(row["text"]), corpus.line_hashes(row["text"])


def wait_for(path):
    while not os.path.exists(path): time.sleep(0.3)


def gather(folder, procs):
    start = time.time(); say = lambda *words: print(f"{time.time() - start:.0f} s", *words, flush=True)
    banned = set(np.load(folder + "/raw/banned.npy").tolist()); n_parts = int(open(folder + "/raw/parts").read()); known = int(open(folder + "/train/parts").read())
    sieve = corpus.Sieve(); shard = known; os.makedirs(folder + "/raw/read", exist_ok=True)
    with multiprocessing.Pool(procs) as pool:
        for path in [folder + "/raw/held.zst"] + [f"{folder}/parts/{k}.zst" for k in range(known)]:
            if "held" not in path: wait_for(path[:-3] + "ok")
            for language, size, key, hashes in pool.imap(known_of, corpus.lines_of(path), 64): sieve.know(language, 0 if "held" in path else size, key, hashes)
        say("known", {k: round(v / 1e6) for k, v in sieve.total.items()})
        for k in range(n_parts):
            wait_for(f"{folder}/raw/{k}.ok"); source = f"{folder}/raw/{k}"
            found = packages_of(source)
            jobs = [(source, p, found[p], banned, f"{folder}/raw/read/{p}") for p in sorted(found, key=lambda p: -sum(map(os.path.getsize, found[p])))]
            for path in pool.imap_unordered(corpus.package_rows, jobs):
                package, version, names, rows = corpus.load(path); kept, size = sieve.add(package, rows); os.unlink(path)
                if kept:
                    with open(folder + "/manifest.tsv", "a") as f: f.write(f"{package}\t{version}\t{kept}\t{size}\t{', '.join(n for n, _ in names.most_common(6))}\n")
            size = sum(len(r["text"]) for r in sieve.rows)
            say(f"part {k}: {len(jobs)} packages, {size / 1e6:.0f} MB wait", {k: round(v / 1e6) for k, v in sieve.total.items()}, dict(sieve.dropped))
            if size < SHARD and k + 1 < n_parts or not size: continue
            text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in in_folders(sieve.rows)).encode(); sieve.rows = []
            with open(f"{folder}/parts/{shard}.zst", "wb") as f: subprocess.run(["zstd", "-q", "-1", "-c"], input=text, stdout=f, check=True)
            open(f"{folder}/parts/{shard}.ok", "w").close(); shard += 1


def in_folders(rows):
    """Files of one folder together, folders in a fixed disorder (as corpus.write_shards does)."""
    key = lambda r: (hashlib.md5((r["pkg"] + os.path.dirname(r["path"])).encode()).digest(), r["path"])
    return sorted(rows, key=key)


def prepare(out, source, made, benchmarks, parts, limit):
    found = packages_of(source); chosen, number, room = [], 0, 0
    for p in sorted(found, key=lambda p: hashlib.md5(p.encode()).digest()):
        if p in corpus.HELD_OUT or os.path.exists(f"{made}/packages/{p}") or sum(map(os.path.getsize, found[p])) > LARGEST: continue
        deb = found[p][0].endswith(".deb")
        if not deb:  # a package whose licence for all files is none that may be kept gives little
            of_all = corpus.read_licences(source, p).of("src/file.c")
            if of_all and not corpus.permissive(of_all): continue
        chosen.append((p, found[p] if deb else sorted(x for x in glob.glob(f"{source}/{p}_*") if not x.endswith((".asc", ".partial")))))
    bins = [[0, []] for _ in range(parts)]  # first fit
    for p, files in chosen:
        size = sum(map(os.path.getsize, files)) + 2048 * len(files)
        for b in bins:
            if b[0] + size <= limit: b[0] += size; b[1] += files; break
    bins = [b for b in bins if b[1]]
    for k, (_, files) in enumerate(bins):
        os.makedirs(f"{out}/raw/{k}", exist_ok=True)
        for f in files: os.link(f, f"{out}/raw/{k}/{os.path.basename(f)}")
    np.save(out + "/raw/banned.npy", np.array(sorted(corpus.read_benchmarks(benchmarks)), dtype=np.int64))
    wait_for(made + "/held.json")
    with open(made + "/held.json") as f: held = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in json.load(f)).encode()
    with open(out + "/raw/held.zst", "wb") as f: subprocess.run(["zstd", "-q", "-9", "-c"], input=held, stdout=f, check=True)
    with open(out + "/raw/parts", "w") as f: f.write(str(len(bins)))
    print(len(chosen), "packages", len(bins), "parts", sum(b[0] for b in bins) / 1e6, "MB")


if __name__ == "__main__":
    if len(sys.argv) == 3: gather(sys.argv[1], int(sys.argv[2]))
    elif len(sys.argv) == 8 and sys.argv[1] == "prepare": prepare(*sys.argv[2:6], int(sys.argv[6]), float(sys.argv[7]))
    else: sys.exit(__doc__)
