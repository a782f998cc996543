# Checks the examples that a function's comment gives; documented.c adds the call of check.
import ast
import builtins
import contextlib
import importlib.util
import io
import os
import signal
import sys

LIMIT_S = 10


def load(path):
    folder = os.path.dirname(os.path.abspath(path))
    sys.path[:0] = [os.getcwd(), folder]
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


def is_known(text, scope):
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    bound |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    return all(n.id in scope or n.id in bound or hasattr(builtins, n.id)
               for n in ast.walk(tree) if isinstance(n, ast.Name))


# A value in a comment has as many digits as its author liked.
def is_near(got, wanted, text):
    if isinstance(got, bool) or not isinstance(got, (int, float)) or not isinstance(wanted, float):
        return False
    digits = len(text.rpartition(".")[2]) if "." in text and "e" not in text else 9
    return abs(got - wanted) <= max(0.51 * 10.0 ** -digits, 1e-9 * abs(wanted))


def is_right(got, text, scope):
    if repr(got) == text:
        return True
    try:
        wanted = eval(text, dict(scope))
    except Exception:
        return False
    same = got == wanted and isinstance(got, bool) == isinstance(wanted, bool)
    return same or is_near(got, wanted, text)


# The value, or what was printed where nothing came back.
def evaluate(call, scope):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        got = eval(call, scope)
        if hasattr(got, "__next__"):
            got = list(got)
    return got, out.getvalue().strip()


# A program that ends by itself while it is read, or that has none of the names, tells nothing.
def check(path, examples):
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    n_failed = n_checked = 0
    try:
        scope = load(path)
    except SystemExit:
        sys.exit("%s ends when it is read" % path)
    for line, call, wanted in examples:
        if not is_known(call, scope):
            continue
        n_checked += 1
        try:
            got, printed = evaluate(call, scope)
            prints = got is None and printed
            right = printed == wanted if prints else is_right(got, wanted, scope)
            said = None if right else "prints %.200s" % printed if prints else "is %.200r" % (got,)
        except (Exception, SystemExit) as error:
            said = "raises %s: %.200s" % (type(error).__name__, error)
        if said:
            print("%s:%d: FAILED: %s %s, wanted %s" % (path, line, call, said, wanted))
            n_failed += 1
    sys.stdout.flush()
    if n_failed or not n_checked:
        sys.exit(1)


