# Imported by Python before the tests, because it stands in their path under this name. It notes the arguments with
# which the tests call one function, and after them calls all versions of it with arguments made from these.
import atexit
import copy
import json
import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(HERE, ".r1ls-probe.json")) as f:
    TASK = json.load(f)
SOURCE = os.path.realpath(os.path.join(HERE, TASK["path"]))
MAX_CALLS, MAX_INPUTS, MAX_LATES = 24, 120, 2
CALL_S = 0.3  # of processor time
# What a slip raises, and no author on purpose.
SLIPS = (IndexError, KeyError, ZeroDivisionError, UnboundLocalError, NameError, AttributeError, TypeError,
         RecursionError)
calls = []
pid = os.getpid()


def note(frame, event, arg):
    code = frame.f_code
    if event != "call" or code.co_name != TASK["name"] or os.path.realpath(code.co_filename) != SOURCE:
        return
    if len(calls) >= MAX_CALLS:
        sys.setprofile(None)
        return
    try:
        names = code.co_varnames[:code.co_argcount]
        values = [copy.deepcopy(frame.f_locals[name]) for name in names]
        calls.append((getattr(code, "co_qualname", code.co_name), values, frame.f_globals.get("__name__", "probed")))
    except Exception:
        pass


def load(path, name):
    with open(path) as f:
        text = f.read()
    scope = {"__name__": name, "__file__": SOURCE}
    exec(compile(text, path, "exec"), scope)
    return scope


def find(scope, qualname):
    parts = qualname.split(".")
    if "<locals>" in parts:
        return None
    thing = scope.get(parts[0])
    for part in parts[1:]:
        thing = vars(thing).get(part) if thing is not None else None
    return getattr(thing, "__func__", thing)


# Whether no function of it should slip, and the value: what a function of its kind may be given.
def variants(value):
    if isinstance(value, bool):
        return [(False, not value)]
    if isinstance(value, int):
        near = [(value == 1, value - 1), (False, value + 1), (False, 2 * value), (False, 1), (True, 0)]
        return [(edge, v) for edge, v in near if v >= 0 or value < 0]
    if isinstance(value, float):
        return [(False, value + 0.5), (False, 2 * value), (True, 0.0)]
    if isinstance(value, str):
        return [(True, ""), (False, value[:1]), (False, value[1:]), (False, value[:-1]), (False, value + value),
                (False, value[::-1]), (False, value.swapcase())]
    if isinstance(value, (list, tuple)):
        empty = value[:0]
        more = [(True, empty), (False, value[:1]), (False, value[1:]), (False, value + value), (False, value[::-1]),
                (False, value[:1] * 3)]
        if value and all(type(v) in (int, float) for v in value):
            more.append((False, type(value)(-v for v in value)))
        return more
    if isinstance(value, dict):
        return [(True, {}), (False, dict(list(value.items())[:1]))]
    return []


def inputs():
    seen = set()
    for qualname, values, module in calls:
        ways = [(False, values)]
        # Where it is all that is given, nothing else has to fit it.
        alone = len([v for v in values if not hasattr(v, "__dict__")]) == 1
        for i, value in enumerate(values):
            lists = alone and isinstance(value, (list, tuple))
            ways += [(edge or lists, values[:i] + [v] + values[i + 1:]) for edge, v in variants(value)]
        for edge, arguments in ways:
            key = repr(arguments)
            if key not in seen and len(seen) < MAX_INPUTS:
                seen.add(key)
                yield edge, qualname, arguments


class Late(BaseException):
    pass


def on_alarm(number, frame):
    raise Late()


def outcome(function, arguments):
    try:
        arguments = copy.deepcopy(arguments)
        signal.setitimer(signal.ITIMER_PROF, CALL_S)
        signal.setitimer(signal.ITIMER_REAL, 8 * CALL_S)  # of one that sleeps
        try:
            result = function(*arguments)
            if hasattr(result, "__next__"):
                result = list(result)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
        return "value", "%r" % (result,), repr([vars(a) if hasattr(a, "__dict__") else a for a in arguments])
    except Late:
        return "late", "", ""
    except SLIPS as error:
        return "slip", type(error).__name__, ""
    except Exception as error:
        return "raises", type(error).__name__, ""


def show(result):
    return result[1][:60] if result[0] == "value" else "%s %s" % (result[0], result[1])


def differ(a, b):
    kinds = {a[0], b[0]}
    if "late" in kinds or kinds == {"raises"} or kinds == {"slip"} or kinds == {"slip", "raises"}:
        return False
    return a != b if kinds == {"value"} else "slip" in kinds


def report():
    sys.setprofile(None)
    if os.getpid() != pid or not calls:
        return
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGPROF, on_alarm)
    scopes = [load(SOURCE, calls[0][2])] + [load(os.path.join(HERE, name), calls[0][2]) for name in TASK["rivals"]]
    n, different, slipped, was = 0, set(), False, TASK["was"]
    same, broken, lates = [0] * len(scopes), [0] * len(scopes), [0] * len(scopes)
    with open(os.path.join(HERE, ".r1ls-probe.out"), "a") as out:
        for edge, qualname, arguments in inputs():
            functions = [find(scope, qualname) for scope in scopes]
            if not callable(functions[0]):
                return
            n += 1
            results = []
            for k, function in enumerate(functions):
                # What has not ended twice is taken to end no more.
                ends = callable(function) and lates[k] < MAX_LATES
                results.append(outcome(function, arguments) if ends else ("late", "", ""))
                lates[k] += results[k][0] == "late"
            first = results[0]
            call = "%s(%s)" % (TASK["name"], ", ".join(repr(a)[:60] for a in arguments))
            before = results[was] if was >= 0 else None
            kind = before[0] if before else ""
            if first[0] == "slip" and not slipped and (kind != "slip" if edge else kind == "value"):
                slipped = True
                out.write("slip 0 %s raises %s\n" % (call, first[1]))
            for k, other in enumerate(results):
                same[k] += other == before
                broken[k] += other[0] == "slip" and kind == "value"
                if k not in different and differ(first, other):
                    different.add(k)
                    out.write("differs %d %s gives %s here and %s there\n" % (k, call, show(first), show(other)))
        for k in range(len(scopes)):
            out.write("same %d %d %d\n" % (k, same[k], broken[k]))
        out.write("inputs %d -\n" % n)


sys.setprofile(note)
atexit.register(report)
