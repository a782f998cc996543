"""Runs a candidate function on given inputs in a sandbox and returns what it gave, value by value.

What is expected never enters the process that runs the candidate, nor a file that it could read: it prints its results to a
pipe, and they are compared here. So nothing is earned by leaving early, by printing, by redefining assert or by reading tests."""
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

WARNINGS = ["-std=gnu11", "-Wall", "-Wextra", "-Wno-unused-function"]
SANITIZERS = ["-g0", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
PLAIN = ["-g0", "-O0"]
WALL_SECONDS, COMPILE_SECONDS, CPU_SECONDS, MEMORY, FILE_BYTES = 4, 20, 3, 1 << 30, 16 << 20

# The results leave by a descriptor of their own, so that what the candidate prints does not disturb them.
C_HEAD = r'''#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static FILE *results;
__attribute__((unused)) static int *ints(int n, const int *v) { int *p = malloc((n ? (size_t)n : 1) * sizeof *p); memcpy(p, v, (size_t)n * sizeof *p); return p; }
__attribute__((unused)) static char *text(const char *s) { char *p = malloc(strlen(s) + 1); strcpy(p, s); return p; }
__attribute__((unused)) static void put_ints(const int *v, int n, int room) { if (n < 0 || n > room) { fputs("null\n", results); return; } fputc('[', results); for (int i = 0; i < n; i++) fprintf(results, "%s%d", i ? ", " : "", v[i]); fputs("]\n", results); }
__attribute__((unused)) static void put_text(const char *s) { fputc('"', results); for (; *s; s++) if (*s >= 32 && *s < 127 && *s != '"' && *s != '\\') fputc(*s, results); else fprintf(results, "\\u%04x", (unsigned char)*s); fputs("\"\n", results); }
'''
# Tests that are statements of the language itself: they stand in the candidate's own file, behind it, and print values.
C_PROBES_HEAD = C_HEAD.split("__attribute__")[0] + r'''
__attribute__((unused)) static void r1_text(const char *s) { if (!s) { fputs("null", results); return; } fputc('"', results); for (; *s; s++) if (*s >= 32 && *s < 127 && *s != '"' && *s != '\\') fputc(*s, results); else fprintf(results, "\\u%04x", (unsigned char)*s); fputc('"', results); }
#undef EQ
#undef STREQ
#undef AEQ
static int r1_n;
#define R1_NEXT (r1_n++ ? (void)fputs(", ", results) : (void)0)
#define EQ(x) (R1_NEXT, (void)fprintf(results, "%lld", (long long)(x)))
#define STREQ(x) (R1_NEXT, r1_text(x))
#define AEQ(p, n) do { R1_NEXT; fputc('[', results); for (int r1_i = 0; r1_i < (int)(n); r1_i++) fprintf(results, "%s%lld", r1_i ? ", " : "", (long long)(p)[r1_i]); fputc(']', results); } while (0)
'''
PYTHON_PROBES = r'''
import json, os, sys
path, descriptor = sys.argv[1:]
results = os.fdopen(int(descriptor), "w")
def shown(v, depth=0, repr=repr, type=type, sorted=sorted, len=len, map=map, int=int):  # the candidate may change builtins
    if depth > 6: return "..."
    t, inside = type(v), lambda x: shown(x, depth + 1)
    if t is float and v.is_integer(): return repr(int(v))
    if t in (int, float, str, bool, bytes, type(None)): return repr(v)
    if t is list: return "[" + ", ".join(map(inside, v)) + "]"
    if t is tuple: return "(" + ", ".join(map(inside, v)) + ("," if len(v) == 1 else "") + ")"
    if t is dict: return "{" + ", ".join(sorted(inside(k) + ": " + inside(v[k]) for k in v)) + "}"
    if t in (set, frozenset): return "{" + ", ".join(sorted(map(inside, v))) + "}" if v else "set()"
    return "<" + t.__name__ + " " + repr(v)[:200] + ">"
space = {"__name__": "candidate"}
exec(compile(open(path).read(), "candidate.py", "exec"), space)
for line in sys.stdin:
    got, here = [], dict(space)
    for part in json.loads(line):
        try:
            if "run" in part: exec(part["run"], here)
            else: got.append({"repr": shown(eval(part["eq"], here))})
        except Exception as e:
            got.append({"raises": type(e).__name__, "text": str(e)[:120]})
            if "run" in part: break
    print(json.dumps(got), file=results, flush=True)
'''
PYTHON = os.path.realpath(sys.executable)
PYTHON_HARNESS = r'''
import json, os, sys
name, path, descriptor = sys.argv[1:]
results = os.fdopen(int(descriptor), "w")
space = {"__name__": "candidate"}
exec(compile(open(path).read(), "candidate.py", "exec"), space)
for line in sys.stdin:
    try: value = space[name](*json.loads(line))
    except Exception as e: value = {"error": type(e).__name__ + ": " + str(e)}
    if isinstance(value, tuple): value = list(value)
    try: print(json.dumps(value), file=results, flush=True)
    except (TypeError, ValueError): print("null", file=results, flush=True)
'''


def quote_c(s): return '"' + "".join(c if 32 <= ord(c) < 127 and c not in '"\\?' else "\\%03o" % ord(c) for c in s) + '"'


def program_c(prototype, name, params, result, tests):
    """A main function that calls the candidate on each test's arguments; arrays have their exact size on the heap."""
    out = [C_HEAD, prototype + ";", "int main(int argc, char **argv)", "{", '    results = argc > 1 ? fdopen(atoi(argv[1]), "w") : NULL;', "    if (!results) return 2;"]
    for args in tests:
        call, room = [], 64
        for (_, kind), value in zip(params, args):
            if kind == "ints":
                room += 4 * len(value)
                call += [f"ints({len(value)}, (int[]){{{', '.join(map(str, value)) or '0'}}})", str(len(value))]
            elif kind == "str": room += 4 * len(value); call.append(f"text({quote_c(value)})")
            elif kind == "char": call.append(str(ord(value)))
            else: call.append(str(int(value)) if abs(int(value)) < 2**31 else f"{int(value)}u")
        room += sum(4 * abs(int(v)) for (_, kind), v in zip(params, args) if kind == "int" and abs(int(v)) < 1000)
        if result == "ints": out.append(f"    {{ int *o = malloc({room} * sizeof *o); int k = {name}({', '.join(call + ['o'])}); put_ints(o, k, {room}); }}")
        elif result == "str": out.append(f"    {{ char *o = malloc({room}); {name}({', '.join(call + ['o'])}); put_text(o); }}")
        elif result == "bool": out.append(f'    fputs({name}({", ".join(call)}) ? "true\\n" : "false\\n", results);')
        else: out.append(f'    fprintf(results, "%d\\n", (int){name}({", ".join(call)}));')
        out.append("    fflush(results);")
    return "\n".join(out + ["    return 0;", "}", ""])


def probes_c(probes):
    """The rest of a file whose first part is the candidate: one function a test, and main."""
    out = [C_PROBES_HEAD] + [f"static void r1_probe_{i}(void)\n{{\n    {p if p.rstrip().endswith((';', '}')) else p + ';'}\n}}" for i, p in enumerate(probes)]
    out += ["#undef main", "int main(int argc, char **argv)", "{", '    results = argc > 1 ? fdopen(atoi(argv[1]), "w") : NULL;', "    if (!results) return 2;"]
    for i in range(len(probes)): out += ['    fputc(\'[\', results); r1_n = 0;', f"    r1_probe_{i}();", '    fputs("]\\n", results); fflush(results);']
    return "\n".join(out + ["    return 0;", "}", ""])


def probe_parts(probe):
    """A Python test as statements to run and expressions whose value counts."""
    from library import calls
    out, at = [], 0
    for start, end, _, argument in calls(probe):
        if probe[at:start].strip(" ;"): out.append({"run": probe[at:start].strip(" ;")})
        out.append({"eq": argument}); at = end
    return out


def limits(address_space):
    def apply():
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if address_space: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    return apply


def sandboxed(command, folder, how):
    """bubblewrap: no network, nothing writable but the scratch folder, no home. "rlimits" only where a person chose it."""
    if how == "rlimits": return command
    python = os.path.realpath(sys.base_prefix)  # it may lie in a home
    if how != "bwrap": raise ValueError(f"sandbox is {how!r}, wanted bwrap or rlimits")
    return ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/home",
            "--tmpfs", "/root", "--tmpfs", "/tmp", "--ro-bind", python, python, "--bind", folder, folder, "--chdir", folder] + command


def run(command, folder, how, stdin=b"", seconds=WALL_SECONDS, address_space=True, results=False):
    """(exit status or None when out of time, bytes of the results' pipe, end of stderr); with `results` the command's last
    argument names the pipe's descriptor."""
    read, write = os.pipe()
    p = subprocess.Popen(sandboxed(command + ([str(write)] if results else []), folder, how), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                         pass_fds=[write], start_new_session=True, preexec_fn=limits(address_space), env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8",
                         "ASAN_OPTIONS": "detect_leaks=0:hard_rss_limit_mb=768:max_allocation_size_mb=512", "UBSAN_OPTIONS": "print_stacktrace=0"})
    os.close(write)
    try: _, errors = p.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired: errors = None
    finally:
        try: os.killpg(p.pid, signal.SIGKILL)
        except ProcessLookupError: pass
    if errors is None: p.communicate()
    os.set_blocking(read, False)  # a daemon that escaped the group could hold the other end open
    try: got = os.read(read, 1 << 20)
    except BlockingIOError: got = b""
    os.close(read)
    return (None if errors is None else p.returncode), got, (errors or b"")[-2000:].decode("utf-8", "replace")


def values(raw):
    out = []
    for line in raw.decode("utf-8", "replace").splitlines():
        try: out.append(json.loads(line))
        except ValueError: out.append(None)
    return out


def equal(got, wanted):
    """A bool is not the number 1, a number no string; of an exception its type counts, nothing else is forgiven."""
    if isinstance(got, list) and isinstance(wanted, list): return len(got) == len(wanted) and all(equal(g, w) for g, w in zip(got, wanted))
    if isinstance(wanted, dict) and "raises" in wanted: return isinstance(got, dict) and got.get("raises") == wanted["raises"]
    return type(got) is type(wanted) and got == wanted


class Tests:
    """A task's tests, made ready once for any number of candidates. Leave by `with`: the scratch folder goes away."""

    def __init__(self, task, how="bwrap", sanitize=True):
        self.task, self.how, self.flags = task, how, SANITIZERS if sanitize else PLAIN
        self.folder = tempfile.mkdtemp(prefix="r1ls-reward-"); self.endless = 0

    def __enter__(self):
        if "probes" in self.task:
            if self.task["language"] == "python": self.write("harness.py", PYTHON_PROBES)
        elif self.task["language"] == "c":
            t = self.task
            self.write("main.c", program_c(t["prototype"], t["name"], t["params"], t["result"], t["inputs"]))
            status, said = self.gcc("-w", "-c", "main.c", "-o", "main.o")
            if status != 0: raise RuntimeError(f"the test program of {t['name']} does not compile: {said}")
        else: self.write("harness.py", PYTHON_HARNESS)
        return self

    def __exit__(self, *_): shutil.rmtree(self.folder, ignore_errors=True)

    def write(self, name, text):
        with open(f"{self.folder}/{name}", "w") as f: f.write(text)

    def gcc(self, *arguments):
        status, _, said = run(["gcc", *self.flags, *arguments], self.folder, self.how, seconds=COMPILE_SECONDS, address_space=False)
        return status, said

    def run(self, code, seconds=WALL_SECONDS, sanitize=None):
        """{compiled, warnings, message, outputs (by test), clean}: code is the whole source file with the candidate in it.
        sanitize: another choice than the one for all."""
        if sanitize is not None: self.flags = SANITIZERS if sanitize else PLAIN
        if self.endless >= 2: seconds = min(seconds, 1)  # a group whose answers loop for ever holds up a whole step
        return self.run_c(code, seconds) if self.task["language"] == "c" else self.run_python(code, seconds)

    def build(self, code):
        """(status, what the compiler said of the candidate)"""
        if "probes" in self.task:
            self.write("candidate.c", code + probes_c(self.task["probes"]))
            return self.gcc(*WARNINGS, "-Dmain=candidate_main", "candidate.c", "-lm", "-o", "program")
        self.write("candidate.c", code)
        status, said = self.gcc(*WARNINGS, "-Dmain=candidate_main", "-c", "candidate.c", "-o", "candidate.o")
        return (self.gcc("-w", "main.o", "candidate.o", "-lm", "-o", "program")[0], said) if status == 0 else (status, said)

    def run_c(self, code, seconds):
        status, said = self.build(code)
        if status != 0: return {"compiled": False, "warnings": True, "message": said, "outputs": [], "clean": False}
        status, got, error = run(["./program"], self.folder, self.how, seconds=seconds, address_space=False, results=True); self.endless += status is None
        return {"compiled": True, "warnings": "warning:" in said, "message": error or said, "outputs": values(got), "clean": status == 0}

    def run_python(self, code, seconds):
        self.write("candidate.py", code)
        try: compile(code, "candidate.py", "exec")
        except (SyntaxError, ValueError) as e: return {"compiled": False, "warnings": True, "message": str(e), "outputs": [], "clean": False}
        given = [probe_parts(p) for p in self.task["probes"]] if "probes" in self.task else self.task["inputs"]
        lines = "".join(json.dumps(g) + "\n" for g in given).encode()
        status, got, error = run([PYTHON, "-I", "-S", "-B", "harness.py", *([] if "probes" in self.task else [self.task["name"]]), "candidate.py"], self.folder, self.how, lines, seconds, results=True)
        self.endless += status is None
        return {"compiled": True, "warnings": False, "message": error, "outputs": values(got), "clean": status == 0}
