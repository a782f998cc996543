"""What a teacher's answer to a hole in a file is worth to a student (distill.py). Needs python3 and, for C and C++, cc."""
import re, subprocess, warnings

COMPILERS = {"c": "c", "cpp": "c++"}
LANGUAGES = {"python", *COMPILERS}
SECONDS = 20  # that a compiler may take


def errors(text, language):
    """What the language's own parser has against a file; headers are left out, since most are missing: of C only the difference
    between two versions of a file means something."""
    if language == "python":
        try:
            with warnings.catch_warnings(): warnings.simplefilter("ignore"); compile(text, "file", "exec")
            return 0
        except (SyntaxError, ValueError): return 1
    text = re.sub(r"(?m)^[ \t]*#[ \t]*include\b.*$", "", text)
    result = subprocess.run(["cc", "-x", COMPILERS[language], "-fsyntax-only", "-w", "-fmax-errors=0", "-"], input=text.encode(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, timeout=SECONDS)
    return len(re.findall(rb"(?m)error: ", result.stderr))


def judge(text, begin, end, answer, language):
    """Of an answer in place of text[begin:end]: "same", "compiles", or why it is no use."""
    answer = answer.rstrip()
    if not answer.strip(): return "empty"
    if answer == text[begin:end].rstrip(): return "same"
    following = next((line.strip() for line in text[end:].split("\n")[1:] if line.strip()), "")
    if len(following) > 3 and following in (line.strip() for line in answer.split("\n")): return "repeats what follows"
    try: worse = errors(text[:begin] + answer + text[end:], language) > errors(text, language)
    except subprocess.TimeoutExpired: return "too long to compile"
    return "does not compile" if worse else "compiles"
