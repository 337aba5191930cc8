#!/usr/bin/env python3
"""Looks for violations of the rules of the rooms: who includes whom, and what no room may contain.

    layering_test.py [SOURCE]

One line per violation; exit status 1 when there are any. Before it reads the tree it checks itself on texts that
break each rule, so that a rule that stopped working is noticed.
"""
import pathlib
import re
import sys

# Room -> rooms below it. A new room needs a line here, and with that a thought about its place.
BELOW = {
    "base": set(),
    "codec": {"base"},
    "io": {"base"},
    "store": {"base"},
    "trace": {"io", "base"},
    "sip": {"trace", "http", "codec", "io", "base"},
    "media": {"codec", "io", "base"},
    "route": {"base"},
    "rating": {"base"},
    "cdr": {"base"},
    "phone": {"base"},
    "http": {"io", "base"},
    "remote": {"cdr", "http", "io", "base"},
    "lrn": {"http", "io", "base"},
    "notify": {"http", "io", "base"},
    "call": {"sip", "trace", "media", "route", "rating", "cdr", "phone", "lrn", "codec", "io", "base"},
    "switch": {"call", "sip", "trace", "media", "route", "rating", "cdr", "phone", "remote", "lrn", "notify", "http", "codec", "store", "io", "base"},
}
BELOW["admin"] = BELOW["switch"] | {"switch"}
BELOW["sim"] = BELOW["switch"] | {"switch"}
BELOW["capi"] = BELOW["switch"] | {"switch", "admin", "sim"}

# Rooms that may see the store, in their *_sqlite.cpp and *_sqlite.hpp files only.
STORE_IN_SQLITE_FILES = {"rating", "cdr", "phone"}
LIBRE_ROOMS = {"io", "sip", "media"}
LIBRE_HEADER = "lib/io/re.hpp"

STANDARD_C = set("assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg "
                 "stdatomic stdbool stddef stdint stdio stdlib string tgmath time uchar wchar wctype".split())
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)
SOURCES = (".cpp", ".hpp", ".h", ".c")


def without_comments(text):
    """The code alone, with every line where it was."""
    return COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def room_of(path):
    parts = pathlib.PurePosixPath(path).parts
    return parts[1] if parts[0] == "lib" and len(parts) > 2 else None


def include_violations(path, text):
    name = pathlib.PurePosixPath(path).name
    room = room_of(path)
    is_sqlite_file = name.endswith(("_sqlite.cpp", "_sqlite.hpp"))
    is_public = path.startswith("include/")
    is_host = path.startswith(("examples/", "bindings/"))
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start(1)) + 1
        mark, target = match.groups()
        first = target.split("/")[0]

        def found(rule):
            return f"{path}:{line}: {rule}: {target}"

        if room is not None:
            if room not in BELOW:
                yield found(f"room {room} has no place in the layers")
            elif mark == '"' and first in BELOW and "/" in target and first != room:
                is_store_file = first == "store" and room in STORE_IN_SQLITE_FILES and is_sqlite_file
                if first not in BELOW[room] and not is_store_file:
                    yield found(f"{room} may not include {first}")
            if mark == '"' and first not in BELOW and first != "tandem":
                yield found("an include names its room or tandem/")
            if target in ("sqlite3.h",) and room != "store" and not is_sqlite_file:
                yield found("SQLite is for lib/store and *_sqlite files")
            if target == "io/re.hpp" and room not in LIBRE_ROOMS:
                yield found(f"{room} may not see libre")
            if room == "base" and first in ("openssl", "nlohmann", "pybind11", "sqlite3.h", "zlib.h"):
                yield found("base knows the standard library only")
        if re.match(r"(re|rem)(\.h$|/|_)", target) and path != LIBRE_HEADER and not path.startswith("tests/"):
            yield found(f"only {LIBRE_HEADER} includes libre")
        if first == "nlohmann" and not path.startswith("tests/") and (
                is_public or not name.endswith(("_json.cpp", "_json.hpp"))):
            yield found("JSON is for *_json.cpp files and the private *_json.hpp between them")
        if target in ("regex", "iostream") and path.startswith(("lib/", "include/")):
            yield found("too dear to include")
        if is_public:
            is_standard = mark == "<" and (re.fullmatch(r"[a-z_0-9]+", target) or
                                           (target.endswith(".h") and target[:-2] in STANDARD_C))
            if not is_standard and first != "tandem":
                yield found("a public header includes the standard library and tandem/ only")
        if is_host and mark == '"' and first in BELOW:
            yield found("hosts and bindings use the public headers only")


# (rule, pattern, where it holds: a regular expression over paths, whether comments count)
TEXT_RULES = [
    ("unfinished work", re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), re.compile(r"."), True),
    ("an option read from the environment", re.compile(r"\b(secure_)?getenv\b"), re.compile(r"^(lib|include)/"), False),
    ("floating point near money or time", re.compile(r"\b(double|float)\b"),
     re.compile(r"^lib/(rating|base)/|^include/tandem/(rating|accounts|values|cdr|clock)\.hpp"), False),
    ("libre's references outside of lib/io", re.compile(r"\bmem_(deref|ref)\b"), re.compile(r"^lib/(?!io/)"), False),
    ("closes what belongs to the host", re.compile(r"\blibre_close\b"), re.compile(r"^(lib|examples|bindings)/"), False),
    ("ends the host's process", re.compile(r"(?<![\w.>:])(std::)?(abort|exit|_exit|quick_exit)\s*\("),
     re.compile(r"^lib/"), False),
    # lib/io and lib/remote/mariadb put the host's SIGPIPE back after the libraries there have taken it
    ("changes the host's signals or locale", re.compile(r"\b(sigaction|signal|setlocale)\s*\("),
     re.compile(r"^lib/(?!io/|remote/mariadb/)"), False),
    ("a sleep", re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep)\b|(?<![\w.>:])sleep\s*\("),
     re.compile(r"^tests/(unit|flow|capi)/"), False),
    ("a directive using a whole namespace in a header", re.compile(r"^\s*using namespace\b", re.M),
     re.compile(r"^(lib|include)/.*\.hpp$"), False),
    # They know how deep a text may nest; lib/rating reads what it wrote itself.
    ("JSON is parsed by config::parse_json()", re.compile(r"\b([Jj]son|ordered_json)::parse\s*\("),
     re.compile(r"^lib/(?!switch/config_reader_json\.cpp|cdr/cdr_json\.cpp|cdr/reconcile_json\.cpp|cdr/day_manifest_json\.cpp|lrn/answer_json\.cpp|notify/notice_json\.cpp|trace/trace_json\.cpp|rating/deck_import_json\.cpp|rating/packages_json\.cpp)"), False),
    ("a _t type in the C API", re.compile(r"\btandem_\w+_t\b"), re.compile(r"^include/tandem/tandem\.h$"), False),
]


def text_violations(path, text):
    code = without_comments(text)
    for rule, pattern, where, with_comments in TEXT_RULES:
        if not where.search(path):
            continue
        subject = text if with_comments else code
        for match in pattern.finditer(subject):
            line = subject.count("\n", 0, match.start()) + 1
            yield f"{path}:{line}: {rule}: {match.group().strip()}"
    if path.endswith(".hpp") and "#pragma once" not in text:
        yield f"{path}:1: a header without #pragma once"


def violations(files):
    """`files`: path relative to the source folder -> text."""
    found = []
    for path, text in sorted(files.items()):
        found.extend(include_violations(path, text))
        found.extend(text_violations(path, text))
    return found


BROKEN = {
    "lib/base/a.cpp": '#include "io/loop.hpp"\n',
    "lib/sip/a.cpp": '#include "media/relay.hpp"\n',
    "lib/route/a.cpp": '#include "call/call.hpp"\n',
    "lib/cdr/a.cpp": '#include "store/database.hpp"\n',
    "lib/rating/a.cpp": "double charge;\n",
    "lib/nowhere/a.cpp": "#include <string>\n",
    "lib/sip/b.cpp": "#include <re.h>\n",
    "lib/sip/c.cpp": "#include <re/re_sip.h>\n",
    "lib/call/a.cpp": '#include "io/re.hpp"\n',
    "lib/cdr/b.cpp": "#include <nlohmann/json.hpp>\n",
    "lib/cdr/c.cpp": "#include <sqlite3.h>\n",
    "lib/call/b.cpp": '#include "helper.hpp"\n',
    "lib/call/c.cpp": "#include <regex>\n",
    "lib/base/b.cpp": "#include <openssl/ssl.h>\n",
    "include/tandem/a.hpp": "#pragma once\n#include <re.h>\n",
    "include/tandem/b.hpp": '#pragma once\n#include "base/leg.hpp"\n',
    "include/tandem/c.hpp": "// no guard\n",
    "include/tandem/tandem.h": "typedef int tandem_handle_t;\n",
    "examples/host/main.cpp": '#include "switch/wiring.hpp"\n',
    "lib/io/a.cpp": "// TO" + "DO later\n",
    "lib/io/b.cpp": "auto v = std::getenv(name);\n",
    "lib/sip/d.cpp": "  mem_deref(p);\n",
    "lib/io/c.cpp": "libre_close();\n",
    "lib/io/d.cpp": "  abort();\n",
    "lib/admin/a_json.cpp": "auto v = Json::parse(body);\n",
    "lib/sip/e.cpp": "setlocale(LC_ALL, x);\n",
    "tests/unit/io/a_test.cpp": "std::this_thread::sleep_for(1s);\n",
    "lib/io/f.hpp": "#pragma once\nusing namespace std;\n",
}
SOUND = {
    "lib/base/a.cpp": '#include "base/b.hpp"\n#include "tandem/values.hpp"\n#include <sys/mman.h>\n// double getenv\n',
    "lib/cdr/a_sqlite.cpp": '#include "store/database.hpp"\n#include <sqlite3.h>\n',
    "lib/switch/config_reader_json.cpp": "auto v = Json::parse(text);\n",
    "lib/cdr/a_json.cpp": "#include <nlohmann/json.hpp>\n",
    "lib/io/re.hpp": "#pragma once\n#include <re.h>\n#include <rem.h>\n",
    "lib/sip/a.cpp": '#include "io/re.hpp"\n#include "base/leg.hpp"\nobject.abort(); x->exit(1);\n',
    "include/tandem/a.hpp": '#pragma once\n#include <string>\n#include <stdint.h>\n#include "tandem/export.h"\n',
    "lib/call/a.cpp": '#include "sip/leg.hpp"\n#include "route/hunt.hpp"\nlog("abort() was called");\n',
}


def check_itself():
    wrong = [f"self-check: no rule found {path}" for path, text in BROKEN.items() if not violations({path: text})]
    wrong += [f"self-check: {line}" for line in violations(SOUND)]
    return wrong


def main():
    source = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
    files = {}
    for folder in ("lib", "include", "examples", "bindings", "tests"):
        for path in (source / folder).rglob("*"):
            if path.is_file() and path.name.endswith(SOURCES):
                files[path.relative_to(source).as_posix()] = path.read_text(encoding="utf-8")
    found = check_itself() + violations(files)
    print("\n".join(found) if found else f"{len(files)} files keep the rules")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
