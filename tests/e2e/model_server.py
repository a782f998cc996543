#!/usr/bin/env python3
"""Small models, and an HTTP server on this machine that serves them to tests of fetching.

As a program it serves one for the tests of an editor: `model_server.py R1LS FOLDER` makes FOLDER/tiny.gguf, prints an
object with its url, sha256 and bytes, and holds each answer back at its half until a line comes on stdin; it ends with
stdin. Needs the Python standard library only.
"""
import array
import hashlib
import http.server
import json
import math
import pathlib
import random
import string
import struct
import subprocess
import sys
import threading


def make_folder(folder, vocab=64, width=256, ff=512, layers=2):
    """A random Qwen2 as safetensors with F32 weights and a vocabulary of single letters."""
    random.seed(1)
    folder.mkdir()
    shapes = {"model.embed_tokens.weight": (vocab, width), "model.norm.weight": (width,), "lm_head.weight": (vocab, width)}
    for i in range(layers):
        layer = f"model.layers.{i}."
        shapes |= {layer + n + "_layernorm.weight": (width,) for n in ("input", "post_attention")}
        shapes |= {layer + f"self_attn.{n}_proj.weight": (width, width) for n in "qkvo"}
        shapes |= {layer + f"self_attn.{n}_proj.bias": (width,) for n in "qkv"}
        shapes |= {layer + f"mlp.{n}_proj.weight": (ff, width) for n in ("gate", "up")}
        shapes[layer + "mlp.down_proj.weight"] = (width, ff)
    header, data = {}, array.array("f")
    for name, shape in shapes.items():
        start = len(data) * 4
        n = math.prod(shape)
        data.extend([1.0] * n if "norm" in name else (random.gauss(0, width**-0.5) for _ in range(n)))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, len(data) * 4]}
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data.tobytes())
    (folder / "config.json").write_text(json.dumps({
        "model_type": "qwen2", "hidden_size": width, "intermediate_size": ff, "num_hidden_layers": layers, "num_attention_heads": 4,
        "max_position_embeddings": 1024, "vocab_size": vocab, "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 1e6}))
    letters = string.ascii_letters + string.digits + "(;"
    (folder / "tokenizer.json").write_text(json.dumps({
        "model": {"type": "BPE", "vocab": {c: i for i, c in enumerate(letters)}, "merges": []},
        "pre_tokenizer": {"type": "ByteLevel", "use_regex": True}}))
    return folder


class Server(http.server.ThreadingHTTPServer):
    """Serves files with Range requests; `cuts` breaks the first answers off after so many bytes, and `halves`, a
    semaphore, is waited for in the middle of each."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.cuts, self.ranges, self.knows_ranges, self.hold = {}, [], [], True, None
        self.halves = None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, name):
        return "http://127.0.0.1:%d/%s" % (self.server_address[1], name)


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        server, name = self.server, self.path.lstrip("/").split("?")[0]
        server.ranges.append(self.headers.get("Range"))
        if name.startswith("to/"):
            self.send_response(302)
            self.send_header("Location", "/" + name[3:])
            self.end_headers()
            return
        data = server.files.get(name)
        if data is None:
            self.send_error(404)
            return
        start = 0
        if self.headers.get("Range") and server.knows_ranges:
            start = int(self.headers["Range"].split("=")[1].rstrip("-"))
            if start >= len(data):
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data)))
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        body = data[start:]
        if server.cuts:
            body = body[:server.cuts.pop(0)]
            self.wfile.write(body)
            if server.hold:
                server.hold.wait(30)
            self.close_connection = True
            return
        if server.halves:
            self.wfile.write(body[:len(body) // 2])
            server.halves.acquire(timeout=60)
            body = body[len(body) // 2:]
        self.wfile.write(body)


def main(r1ls, folder):
    made, model = make_folder(folder / "tiny", width=128), folder / "tiny.gguf"
    subprocess.run([r1ls, "model", "convert", made, model], check=True, capture_output=True)
    data, server = model.read_bytes(), Server()
    server.files[model.name], server.halves = data, threading.Semaphore(0)
    about = {"url": server.url(model.name), "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    print(json.dumps(about), flush=True)
    for _ in sys.stdin:
        server.halves.release()


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
