#!/usr/bin/env python3
"""Speed of ik_llama.cpp by the wheel of ik-llama-cpp-python, as llama-bench measures: run by bench.py in a virtual
environment that has it. Prints JSON. usage: ik_speed.py MODEL PREFILL DECODE THREADS"""
import json
import logging
import sys
import time

from ik_llama_cpp import IkLlama
from ik_llama_cpp.llama import C, make_batch_range, make_batch_single


def decode(context, batch):
    if context.decode(batch) != 0:
        sys.exit("llama_decode failed")
    C.llama_batch_free(batch)


def prefill(context, ids):
    step = context._n_ubatch
    for i in range(0, len(ids), step):
        decode(context, make_batch_range(ids[i:i + step], pos_start=i, logits_last=i + step >= len(ids)))


def main():
    logging.disable(logging.CRITICAL) # it warns that flash attention is off, which it is by itself without AVX-VNNI
    path, n_prefill, n_decode, n_threads = sys.argv[1], *map(int, sys.argv[2:])
    model = IkLlama(path, n_ctx=n_prefill + n_decode + 64, n_threads=n_threads) # kept: it frees its context
    context = model._context
    ids = [1000 + i % 3000 for i in range(n_prefill)]
    prefill(context, ids[:32]) # weights are read from the file
    context.kv_cache_clear()
    start = time.monotonic()
    prefill(context, ids)
    middle = time.monotonic()
    for i in range(n_decode):
        decode(context, make_batch_single(ids[i % n_prefill], n_prefill + i))
    end = time.monotonic()
    print(json.dumps({"prefill_tps": n_prefill / (middle - start), "decode_tps": n_decode / (end - middle)}))


main()
