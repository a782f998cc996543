"""llama-server with one model, for the benchmarks that compare with it."""
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

READY_S, TRIES = 120, 3


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fim_parts(info, before, after):
    """The parts of a fill-in-the-middle prompt in the model's order, `info` as `r1ls model info` tells it. The answer
    follows; where the order is "line last" the cursor's line does, and before is what stands above it."""
    pre, suf, mid = (info["fim_" + part] for part in ("prefix", "suffix", "middle"))
    return {"suffix first": [pre, suf, after, mid, before],
            "line last": [suf, after, pre, before, mid]}.get(info["fim_order"], [pre, before, suf, after, mid])


class LlamaServer:
    """Ready when made; ready_ms is how long that took. Ends the program if it does not become ready. `started` is told of
    the process at once."""

    def __init__(self, program, model, n_threads, n_ctx, options=(), started=lambda process: None):
        for tries in range(TRIES):  # another process may have taken the port meanwhile
            start, port = time.monotonic(), free_port()
            self.url = "http://127.0.0.1:%d" % port
            log = tempfile.TemporaryFile()
            self.process = subprocess.Popen(
                [str(program), "-m", str(model), "-t", str(n_threads), "-c", str(n_ctx), "-np", "1", "--no-webui",
                 "--port", str(port), *options], stdout=subprocess.DEVNULL, stderr=log)
            started(self.process)
            while not self.is_ready() and self.process.poll() is None and time.monotonic() - start < READY_S:
                time.sleep(0.005)
            self.ready_ms = 1e3 * (time.monotonic() - start)
            if self.process.poll() is None and self.ready_ms < 1e3 * READY_S:
                return
            self.close()
        log.seek(0)
        sys.exit("%s with %s is not ready after %.0f s: %s" % (
            program, model, self.ready_ms / 1e3, log.read()[-600:].decode(errors="replace")))

    def is_ready(self):
        try:
            return urllib.request.urlopen(self.url + "/health", timeout=READY_S).status == 200
        except (urllib.error.URLError, OSError):
            return False

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
