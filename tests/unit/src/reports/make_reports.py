#!/usr/bin/env python3
"""`make_reports.py OUT`: runs compilers, sanitizers and test runners on small broken projects and writes what they print
into OUT/NAME.txt, with the project's folder as /project. test_report.c says what has to be read from each."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

OUT = os.path.abspath(sys.argv[1])
C = ("int at(const int *a, int i)\n{\n    return a[i];\n}\n\nint twice(int x)\n{\n    return x + x + 1;\n}\n\n"
     "int add(int a, int b)\n{\n    return a + b;\n}\n\nint race;\n\nvoid *work(void *x)\n{\n    race++;\n    return x;\n}\n\n"
     "#include <stdlib.h>\nchar *leak(void)\n{\n    return malloc(10);\n}\n")
H = "int at(const int *, int);\nint twice(int);\nint add(int, int);\nvoid *work(void *);\nchar *leak(void);\n"
PY = "def twice(x):\n    return x + x + 1\n\n\ndef first(items):\n    return items[0]\n"
MAIN = '#include "../src/a.h"\n#include <assert.h>\n#include <stdlib.h>\n#include <limits.h>\nint main(void)\n{\n    %s\n    return 0;\n}\n'


def c(body, flags, run="./t"):
    return {"src/a.c": C, "src/a.h": H, "tests/test_a.c": MAIN % body}, "gcc -g %s -o t src/a.c tests/test_a.c && %s" % (flags, run)


HEAP = "int *p = malloc(8);\n    int x = at(p, 2);\n    free(p);\n    return x;"
THREADS = "pthread_t t;\n    pthread_create(&t, 0, work, 0);\n    work(0);\n    pthread_join(t, 0);"
CMOCKA = ('#include <stdarg.h>\n#include <stddef.h>\n#include <setjmp.h>\n#include <stdint.h>\n#include <cmocka.h>\n#include "../src/a.h"\n'
          'static void test_twice(void **state)\n{\n    (void)state;\n    assert_int_equal(twice(2), 4);\n}\nint main(void)\n{\n'
          '    const struct CMUnitTest tests[] = {cmocka_unit_test(test_twice)};\n    return cmocka_run_group_tests(tests, NULL, NULL);\n}\n')
CHECK = ('#include <check.h>\n#include <stdlib.h>\n#include "../src/a.h"\nSTART_TEST(test_twice)\n{\n    ck_assert_int_eq(twice(2), 4);\n}\nEND_TEST\n'
         'int main(void)\n{\n    Suite *s = suite_create("a");\n    TCase *t = tcase_create("core");\n    tcase_add_test(t, test_twice);\n'
         '    suite_add_tcase(s, t);\n    SRunner *r = srunner_create(s);\n    srunner_run_all(r, CK_NORMAL);\n    int n = srunner_ntests_failed(r);\n'
         '    srunner_free(r);\n    return n != 0;\n}\n')
UNIT = ("import unittest\nfrom a import first, twice\n\n\nclass T(unittest.TestCase):\n    def test_twice(self):\n"
        "        self.assertEqual(twice(2), 4)\n\n    def test_first(self):\n        self.assertEqual(first([]), None)\n")
PYTEST = "from a import first, twice\n\n\ndef test_twice():\n    assert twice(2) == 4\n\n\ndef test_first():\n    assert first([]) is None\n"
JS = "function twice(x) {\n    return x + x + 1;\n}\n\nfunction first(items) {\n    return items[0].name;\n}\nmodule.exports = { twice, first };\n"
NODE = ("const test = require('node:test');\nconst assert = require('assert');\nconst { twice, first } = require('./a.js');\n"
        "test('twice', () => {\n    assert.strictEqual(twice(2), 4);\n});\ntest('first', () => {\n    first([]);\n});\n")
GO = "package m\n\nfunc Twice(x int) int {\n\treturn x + x + 1\n}\n\nfunc First(a []int) int {\n\treturn a[0]\n}\n"
GOT = ('package m\n\nimport "testing"\n\nfunc TestTwice(t *testing.T) {\n\tif Twice(2) != 4 {\n\t\tt.Errorf("Twice(2) is %d", Twice(2))\n\t}\n}\n\n'
       'func TestFirst(t *testing.T) {\n\tFirst(nil)\n}\n')
RUST = ("pub fn twice(x: i32) -> i32 {\n    x + x + 1\n}\n\npub fn first(a: &[i32]) -> i32 {\n    a[0]\n}\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n"
        "    #[test]\n    fn twice_doubles() {\n        assert_eq!(twice(2), 4);\n    }\n\n    #[test]\n    fn first_of_none() {\n        first(&[]);\n    }\n}\n")
CMAKE = ("cmake_minimum_required(VERSION 3.16)\nproject(x C)\nenable_testing()\nadd_executable(t src/a.c tests/test_a.c)\nadd_test(NAME t COMMAND t)\n")
CASES = {
    "gcc_error": c("return twice(2;", ""),
    "gcc_link": c("return missing();", "-w"),
    "gcc_warning": ({"src/a.c": "int f(int x)\n{\n    int unused;\n    return y;\n}\n"}, "gcc -Wall -c src/a.c"),
    "asan": c(HEAP, "-fsanitize=address"),
    "ubsan": c("return add(INT_MAX, 1) == 0;", "-fsanitize=undefined", "UBSAN_OPTIONS=print_stacktrace=1 ./t"),
    "lsan": c("return leak() == 0;", "-fsanitize=address"),
    "tsan": c("#undef x\n" + THREADS, "-fsanitize=thread -include pthread.h"),
    "assert": c("assert(twice(2) == 4);", ""),
    "valgrind": c(HEAP, "", "valgrind -q ./t"),
    "cmocka": ({"src/a.c": C, "src/a.h": H, "tests/test_a.c": CMOCKA}, "gcc -o t src/a.c tests/test_a.c -lcmocka && ./t"),
    "check": ({"src/a.c": C, "src/a.h": H, "tests/test_a.c": CHECK},
              "gcc -o t src/a.c tests/test_a.c $(pkg-config --cflags --libs check) && ./t"),
    "ctest": ({"src/a.c": C, "src/a.h": H, "tests/test_a.c": MAIN % "assert(twice(2) == 4);", "CMakeLists.txt": CMAKE},
              "cmake -S . -B build >/dev/null && cmake --build build >/dev/null && ctest --test-dir build --output-on-failure"),
    "unittest": ({"a.py": PY, "test_a.py": UNIT}, "python3 -m unittest"),
    "pytest": ({"a.py": PY, "test_a.py": PYTEST}, "python3 -m pytest -q -p no:cacheprovider"),
    "pytest_native": ({"a.py": PY, "test_a.py": PYTEST}, "python3 -m pytest -q --tb=native -p no:cacheprovider"),
    "traceback": ({"a.py": PY, "main.py": "import a\n\n\ndef run():\n    a.first([])\n\n\nrun()\n"}, "python3 main.py"),
    "python_syntax": ({"a.py": "def f(x):\n    return (x\n\n\ndef g():\n    pass\n"}, "python3 a.py"),
    "node": ({"a.js": JS, "a.test.js": NODE}, "node --test"),
    "go": ({"a.go": GO, "a_test.go": GOT, "go.mod": "module m\n\ngo 1.19\n"}, "go test ./..."),
    "go_build": ({"a.go": GO.replace("x + x + 1", "y"), "go.mod": "module m\n\ngo 1.19\n"}, "go build ./..."),
    "cargo": ({"src/lib.rs": RUST, "Cargo.toml": '[package]\nname = "x"\nversion = "0.1.0"\nedition = "2021"\n'}, "cargo test --offline"),
    "rustc": ({"src/lib.rs": RUST.replace("x + x + 1", "y"), "Cargo.toml": '[package]\nname = "x"\nversion = "0.1.0"\nedition = "2021"\n'},
              "cargo build --offline"),
}


def main():
    os.makedirs(OUT, exist_ok=True)
    for name in sys.argv[2:] or CASES:
        files, command = CASES[name]
        folder = os.path.realpath(tempfile.mkdtemp())
        for path, text in files.items():
            path = os.path.join(folder, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text)
        done = subprocess.run(command, shell=True, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = done.stdout.decode(errors="replace").replace(folder, "/project")
        text = re.sub(r"/(home|root)/[^\s:]*?/lib/", "/usr/lib/", text)
        with open(os.path.join(OUT, name + ".txt"), "w") as f:
            f.write(text)
        print(name, len(text), "bytes, exit", done.returncode)
        shutil.rmtree(folder)


main()
