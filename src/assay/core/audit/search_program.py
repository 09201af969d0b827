"""The program that searches everything an agent would see; it runs inside the sandbox, under the task's own Python.

Python 3.6 and later, standard library only. It reads one JSON object from its input and writes one to its output; it
decides nothing: it says in which files which needles lie, and what it did not read.
"""

from __future__ import annotations

PROGRAM = r'''
import bz2, gzip, hashlib, io, json, lzma, marshal, os, re, subprocess, sys, tarfile, threading, time, types, zipfile

REQUEST = json.loads(sys.stdin.buffer.read().decode("utf-8"))
ROOT = REQUEST.get("root", "/")
DEADLINE = time.time() + REQUEST.get("seconds", 60)
SKIP = {os.path.join(ROOT, name) for name in ("proc", "sys", "dev")}
SYSTEM = tuple(os.path.join(ROOT, name) + "/" for name in REQUEST.get("system", ()))
OWN = tuple(path.rstrip("/") + "/" for path in REQUEST.get("own", ()))
MANUALS = ("/share/man/", "/share/info/", "/share/locale/", "/lib/jvm/")
TEXTS = {"py", "pyi", "pyx", "pyc", "txt", "rst", "md", "html", "htm", "json", "toml", "cfg", "ini", "yaml", "yml",
         "in", "diff", "patch", "orig", "rej", "log", "ipynb", "xml", "csv", "tex", "info", "sh", "pth", "record"}
ARCHIVES = {"zip", "whl", "egg", "pyz", "tar", "tgz", "tbz", "tbz2", "txz", "gz", "bz2", "xz"}
SINGLE = {"gz", "bz2", "xz"}
SMALL = 256 * 1024
LARGE = 16 * 1024 * 1024
LARGE_ARCHIVE = 256 * 1024 * 1024
MAX_MEMBERS = 20000
CODE_BYTES = 40

counts = {"files": 0, "archives": 0, "skipped_files": 0, "unreadable": 0, "large": 0}
matches, late = [], []


class Change:
    def __init__(self, given):
        self.key = given["key"]
        self.lines = set(given["lines"])
        self.windows = [tuple(window) for window in given["windows"]]
        self.anchors = {max(window, key=len) for window in self.windows}
        self.tokens = [(token, token.encode("utf-8")) for token in given["tokens"]]
        self.modules = set(given["modules"])
        self.wholes = set(given["wholes"])
        self.codes = []
        for old, new in given["sources"]:
            known = {code.co_code for code in codes_of(old)}
            self.codes += [c for c in codes_of(new) if c.co_code not in known and len(c.co_code) >= CODE_BYTES
                           and c.co_name.isidentifier()]

    def in_lines(self, lines):
        """Needles among the collapsed lines of a text."""
        present = set(lines)
        found = sorted(self.lines & present)
        windows = []
        if self.anchors & present:
            joined = "\n".join([""] + lines + [""])
            windows = [w for w in self.windows if "\n" + "\n".join(w) + "\n" in joined]
        return found, windows

    def is_of(self, path):
        """Whether a file is a changed one by its name."""
        return not self.modules.isdisjoint(names_of(path))

    def in_compiled(self, data, same_module):
        """Names, and functions that were compiled to the same instructions."""
        tokens = [token for token, raw in self.tokens if raw in data]
        functions = []
        if same_module:
            for code in self.codes:
                names = [name.encode("utf-8") for name in (code.co_name,) + code.co_names]
                if code.co_code in data and all(name in data for name in names):
                    functions.append(code.co_name)
        return tokens, functions


def codes_of(source):
    try:
        todo, found = [compile(source, "x", "exec", dont_inherit=True)], []
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    while todo:
        code = todo.pop()
        inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
        todo += inner
        found += inner
    return found


def may_hold(data):
    """Whether some line is a needle as it stands: much quicker than to collapse all of them."""
    if not wanted.isdisjoint(map(bytes.strip, data.split(b"\n"))):
        return True
    return b"\n+" in data and not wanted.isdisjoint(line.strip(b"+> \t\r") for line in data.split(b"\n"))


def squeezed(data):
    text = data.decode("utf-8", "replace")
    lines = (" ".join(line.split()) for line in text.splitlines())
    return [line for line in lines if line]


def plain_diff(lines):
    """The same lines without what a diff, a mail or a console puts before them."""
    return [line.lstrip("+> ") or line for line in lines]


def names_of(path):
    """A module's own name, and that with its folder's."""
    folders = [part for part in path.replace("!", "/").split("/") if part != "__pycache__"]
    stem = folders.pop().split(".")[0]
    return (stem, folders[-1] + "/" + stem) if folders else (stem,)


def look(data, path, member=""):
    """Search one file's bytes."""
    name = member or path
    if name.endswith((".pyc", ".pyo")):
        for change in changes:
            same = change.is_of(name)
            tokens, functions = change.in_compiled(data, same)
            if tokens or functions:
                report(change, path, member, tokens=tokens, functions=functions, same_module=same)
        return
    named = [change for change in changes if change.is_of(name)]
    if not named and not may_hold(data):
        return
    lines = squeezed(data)
    # In a diff, lines of the context have no sign; in a file, nearly no line has one.
    signed = any(line.startswith(("+", ">")) for line in lines)
    for change in changes:
        found, windows = change.in_lines(lines)
        if signed and not windows:
            more, windows = change.in_lines(plain_diff(lines))
            found = sorted(set(found) | set(more))
        same = change in named
        whole = same and hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest() in change.wholes
        if found or windows or whole:
            report(change, path, member, lines=found, windows=windows, whole=whole, same_module=same)


def report(change, path, member, **what):
    what.update(change=change.key, path=path[len(ROOT.rstrip("/")):] if ROOT != "/" else path, member=member)
    with lock:
        matches.append(what)


def look_into(data, path, member, depth):
    """Search an archive, given as bytes; those in it too, to some depth."""
    name = (member or path).lower()
    stream = io.BytesIO(data)
    if data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(stream) as archive:
            for info in archive.infolist()[:MAX_MEMBERS]:
                if worth_reading(info.filename, info.file_size) and in_time():
                    inner(archive.read(info), path, joined(member, info.filename), depth)
        return
    if ".tar" in name or name.endswith((".tgz", ".tbz", ".tbz2", ".txz")):
        with tarfile.open(fileobj=stream) as archive:
            for number, info in enumerate(archive):
                if number > MAX_MEMBERS or not in_time():
                    break
                if info.isfile() and worth_reading(info.name, info.size):
                    inner(archive.extractfile(info).read(), path, joined(member, info.name), depth)
        return
    opened = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}.get(data[:2])
    if opened is not None:
        with opened(stream) as unpacked:
            raw = unpacked.read(LARGE)
        if raw[257:262] == b"ustar":
            look_into(raw, path, (member or os.path.basename(path)) + ".tar", depth)
        else:
            inner(raw, path, joined(member, os.path.basename(re.sub(r"\.\w+$", "", name))), depth)


def worth_reading(name, size):
    suffix = name.lower().rpartition(".")[2]
    if name.endswith("/") or size > LARGE:
        return False
    return suffix in TEXTS or suffix in ARCHIVES or "/" in suffix or suffix == name.lower()


def inner(data, path, member, depth):
    suffix = member.lower().rpartition(".")[2]
    if depth and suffix in ARCHIVES:
        look_into(data, path, member, depth - 1)
    elif suffix in TEXTS or b"\0" not in data[:1000]:
        look(data, path, member)


def joined(member, name):
    return member + "!" + name if member else name


def in_time():
    if time.time() < DEADLINE:
        return True
    if not late:
        late.append(True)
    return False


def walk():
    """All regular files as (path, bytes, whether it is the system's), links left alone."""
    todo = [ROOT]
    while todo:
        folder = todo.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            counts["unreadable"] += 1
            continue
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    if entry.path not in SKIP:
                        todo.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield entry
            except OSError:
                counts["unreadable"] += 1


def sorted_out():
    """Files to be searched as they are, compiled ones, and archives."""
    texts, compiled, archives = [], [], []
    for entry in walk():
        path = entry.path
        suffix = entry.name.lower().rpartition(".")[2] if "." in entry.name else ""
        system = path.startswith(SYSTEM) and not path.startswith(OWN)
        if system and not worth_opening(entry, path, suffix):
            counts["skipped_files"] += 1
            continue
        counts["files"] += 1
        if suffix in ("pyc", "pyo"):
            compiled.append(path)
        elif suffix in ARCHIVES or (not system and suffix not in TEXTS and is_archive(path)):
            archives.append(path)
        else:
            texts.append(path)
    return texts, compiled, archives


def worth_opening(entry, path, suffix):
    """Whether a file of the system may hold Python, or text that people wrote."""
    if any(part in path for part in MANUALS):
        return False
    if suffix in SINGLE:
        inside = entry.name.lower().split(".")[-2]
        return inside == "tar" or inside in TEXTS
    if suffix in TEXTS or suffix in ARCHIVES:
        return True
    try:
        return not suffix and entry.stat(follow_symlinks=False).st_size <= SMALL
    except OSError:
        return False


def is_archive(path):
    try:
        with open(path, "rb") as stream:
            return stream.read(4)[:2] in (b"PK", b"\x1f\x8b", b"BZ", b"\xfd7")
    except OSError:
        return False


def holding(paths, patterns):
    """Those of the files that hold one of the patterns, by the system's grep if there is one."""
    if not patterns or not paths:
        return []
    grep = next((p for p in ("/usr/bin/grep", "/bin/grep") if os.path.exists(p)), None)
    if grep is None:
        return [path for path in paths if in_time() and any(p in (read(path) or b"") for p in patterns)]
    listed = os.path.join(REQUEST["scratch"], "needles-%d" % len(patterns))
    with open(listed, "wb") as stream:
        stream.write(b"\n".join(patterns) + b"\n")
    found = []

    def work(chunk):
        done = subprocess.run([grep, "-laZF", "-f", listed, "--"] + chunk, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, env={"LC_ALL": "C"})
        found.extend(os.fsdecode(name) for name in done.stdout.split(b"\0") if name)

    at_once(work, [paths[start:start + 1500] for start in range(0, len(paths), 1500)])
    os.unlink(listed)
    return found


def read(path):
    try:
        with open(path, "rb") as stream:
            data = stream.read(LARGE + 1)
    except OSError:
        counts["unreadable"] += 1
        return None
    if len(data) > LARGE:
        counts["large"] += 1
        return data[:LARGE]
    return data


def plant():
    """Write what has to be found, as only the program can: into places that are empty for every command."""
    for kind, path, source in REQUEST.get("plant", ()):
        path = os.path.expanduser(path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if kind == "compiled":
            code = compile(source, "canary", "exec", dont_inherit=True)
            with open(path, "wb") as stream:
                stream.write(b"\0" * 16 + marshal.dumps(code))
        else:
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(source)


def open_archive(path):
    try:
        if os.path.getsize(path) > LARGE_ARCHIVE:
            counts["large"] += 1
            return
        with open(path, "rb") as stream:
            look_into(stream.read(), path, "", 1)
        counts["archives"] += 1
    except Exception:  # a broken archive raises whatever it likes
        counts["unreadable"] += 1


def at_once(work, things):
    """Do it to all things, with a thread for each core."""
    def some():
        while things and in_time():
            with lock:
                thing = things.pop() if things else None
            if thing is not None:
                work(thing)

    threads = [threading.Thread(target=some) for _ in range(os.cpu_count() or 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


lock = threading.Lock()
plant()
changes = [Change(given) for given in REQUEST["changes"]]
wanted = {line.encode("utf-8") for change in changes for line in change.lines | change.anchors}
modules = {module for change in changes for module in change.modules}
texts, compiled, archives = sorted_out()
candidates = set(holding(texts, sorted(wanted)))
candidates |= set(holding(compiled, sorted({raw for change in changes for _, raw in change.tokens})))
candidates |= {path for path in texts + compiled if not modules.isdisjoint(names_of(path))}
for path in sorted(candidates):
    data = read(path) if in_time() else None
    if data is not None:
        look(data, path)
at_once(open_archive, archives)
print(json.dumps({"matches": matches, "counts": counts, "late": bool(late)}))
'''
"""The program's text."""
