"""What the lint scripts share: the tree to look at and its C files."""
import os
import pathlib
import subprocess

# R1LS_LINT_ROOT is another tree, for the test of the rules themselves.
ROOT = pathlib.Path(os.environ.get("R1LS_LINT_ROOT") or pathlib.Path(__file__).resolve().parents[2])
# Made by a script from the Unicode database, as its first line says.
GENERATED = "engine/unicode_table.c"
# Stand-ins for other people's projects: their layout is their own.
PROJECTS = "tests/e2e/projects/"


def own_files(*patterns):
    """Paths below ROOT of the tracked files and of those that are about to be; never a build's."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
                            cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return sorted({f for f in listed if f and f != GENERATED
                   and not f.startswith(PROJECTS) and (ROOT / f).is_file()})


def finish(name, bad, n_files):
    """Prints the findings, or one line, and returns the exit code."""
    print("\n".join(bad) if bad else "%s: %d files in order" % (name, n_files))
    return 1 if bad else 0
