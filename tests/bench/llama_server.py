"""llama-server with one model, for the benchmarks that compare with it."""
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

READY_S = 120


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class LlamaServer:
    """Ready when made; ready_ms is how long that took. Ends the program if it does not become ready. `started` is told of
    the process at once."""

    def __init__(self, program, model, n_threads, n_ctx, options=(), started=lambda process: None):
        port = free_port()
        self.url = "http://127.0.0.1:%d" % port
        start = time.monotonic()
        self.process = subprocess.Popen(
            [str(program), "-m", str(model), "-t", str(n_threads), "-c", str(n_ctx), "-np", "1", "--no-webui",
             "--port", str(port), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started(self.process)
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() - start > READY_S:
                self.close()
                sys.exit("%s with %s is not ready after %.0f s" % (program, model, time.monotonic() - start))
            time.sleep(0.005)
        self.ready_ms = 1e3 * (time.monotonic() - start)

    def is_ready(self):
        try:
            return urllib.request.urlopen(self.url + "/health", timeout=READY_S).status == 200
        except (urllib.error.URLError, OSError):
            return False

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
