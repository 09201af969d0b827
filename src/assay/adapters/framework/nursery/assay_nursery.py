"""A warm interpreter that runs tests in children of its own, for audits: hundreds of runs of nearly the same program.

Runs inside the sandbox with the repository's own interpreter: Python 3.6 and later, standard library only. It loads
pytest and the third-party modules that the tests need, never a module of the repository, and goes as far into a
session of pytest as all jobs have in common (assay_hold). For each job it forks a
child into namespaces of its own: an overlay over the repository, in which the job's files are written, an empty /tmp
and home, and a process namespace that ends with the child. The child gives up its capabilities before it runs a test.

The jobs come as JSON on standard input; each answer is one JSON line on the channel. Only variants that assay has
made itself are tried in here: what a stranger wrote is always judged cold.
"""

import base64
import ctypes
import gc
import importlib
import importlib.util
import json
import os
import resource
import select
import signal
import sys
import time

import assay_hold
import assay_watch
import pytest

NEW_MOUNTS, NEW_IPC, NEW_PROCESSES = 0x00020000, 0x08000000, 0x20000000
BIND, RECURSIVE = 0x1000, 0x4000
RECURSIVE_PRIVATE = RECURSIVE | 0x40000
NO_SETUID_NO_DEVICES = 2 | 4
CLEAR_AMBIENT, AMBIENT, DEATH_SIGNAL = 4, 47, 1
CAPABILITY_VERSION = 0x20080522
MIB = 1024 * 1024
LONG_AGO = 1000000000
"""When no file of a layer was written: what was compiled of the original is not taken for what is written here."""
LIBC = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    if getattr(LIBC, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (name, os.strerror(number)))


def mount(kind, target, options, flags=0):
    call("mount", kind.encode(), os.fsencode(target), kind.encode(), flags, os.fsencode(options))


def own_world(repository, tmpfs_mib, job):
    """A repository, a /tmp and a home that nobody else sees."""
    call("mount", b"none", b"/", None, RECURSIVE_PRIVATE, None)
    home = os.environ.get("HOME", "")
    covered = ["/tmp"] + ([home] if home and os.path.isdir(home) else [])
    shown = [(place, os.open(place, os.O_PATH)) for place in mounted_below(covered)]
    mount("tmpfs", "/tmp", "mode=1777,size=%dm" % tmpfs_mib, NO_SETUID_NO_DEVICES)
    os.makedirs("/tmp/.assay/upper")
    os.mkdir("/tmp/.assay/work")
    places = "lowerdir=%s,upperdir=/tmp/.assay/upper,workdir=/tmp/.assay/work,userxattr" % repository
    mount("overlay", repository, places, NO_SETUID_NO_DEVICES)
    for place in covered[1:]:
        mount("tmpfs", place, "mode=0755,size=%dm" % tmpfs_mib, NO_SETUID_NO_DEVICES)
    os.mkdir("/tmp/.assay/tmp")
    call("mount", b"/tmp/.assay/tmp", b"/tmp", None, BIND, None)
    os.chmod("/tmp", 0o1777)
    for place, descriptor in shown:
        os.makedirs(place, exist_ok=True)
        call("mount", b"/proc/self/fd/%d" % descriptor, os.fsencode(place), None, BIND | RECURSIVE, None)
        os.close(descriptor)
    os.chdir("/")
    os.chdir(repository)
    write(repository, job["files"])


def mounted_below(covered):
    """Folders that the sandbox shows below places that are made anew, such as an interpreter's own, outermost first."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            place = line.split()[4].encode("ascii", "surrogateescape").decode("unicode_escape")
            inside = any(place.startswith(top + "/") for top in covered)
            if inside and os.path.isdir(place) and not any(place.startswith(other + "/") for other in found):
                found.append(place)
    return found


def write(repository, files):
    for path, state in files.items():
        place = os.path.join(repository, path)
        if os.path.lexists(place):
            os.unlink(place)
        if state is None:
            continue
        os.makedirs(os.path.dirname(place), exist_ok=True)
        data = base64.b64decode(state["data"])
        if state["mode"] == "120000":
            os.symlink(os.fsdecode(data), place)
            continue
        with open(place, "wb") as file:
            file.write(data)
        os.chmod(place, 0o755 if state["mode"] == "100755" else 0o644)
        os.utime(place, (LONG_AGO, LONG_AGO))


def give_up_powers():
    """From here on this process is as unprivileged as any in a sandbox."""
    call("prctl", AMBIENT, CLEAR_AMBIENT, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    call("capset", header, (ctypes.c_uint32 * 6)())


def become(job, watch):
    """Make this process the one that runs the job's tests."""
    give_up_powers()
    if job["memory_mib"]:
        resource.setrlimit(resource.RLIMIT_DATA, (job["memory_mib"] * MIB,) * 2)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    if "random" in sys.modules:
        sys.modules["random"].seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    assay_watch.prepare(job["tests"], job["watch"], job["watched"], watch, job["tell_modules"])


def start(job, channel, watch):
    """pytest from its very start. Does not return."""
    become(job, watch)
    hush()
    os.environ["ASSAY_CHANNEL_FD"] = str(channel)
    os.environ["ASSAY_TEST_SECONDS"] = "%g" % job["test_seconds"]
    sys.dont_write_bytecode = not job["in_place"]  # only what is compiled there is wanted
    finish([*job["arguments"], *job["targets"]])


def hush():
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)


def finish(arguments):
    """A whole run of pytest, in the process that ends with it."""
    sys.argv = [sys.modules["__main__"].__file__, *arguments]
    status = 3
    try:
        status = int(pytest.main(arguments))
    finally:
        assay_watch.tell()
        os._exit(status)


def supervise(job, settings, channel, watch, told):
    """Make the child's world, start it, end it at its deadline. Comes back in the child alone."""
    status = 0
    try:
        call("unshare", NEW_MOUNTS | NEW_IPC | NEW_PROCESSES)
        if not job["in_place"]:
            own_world(settings["repository"], settings["tmpfs_mib"], job)
        # Against a child that is gone before anybody waits.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if pid == 0:
            call("prctl", DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
            return be_init(channel, watch, told)
        os.close(channel)
        os.close(watch)
        late = signal.sigtimedwait({signal.SIGCHLD}, job["wall_seconds"]) is None
        if late:
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        text = "wall" if late else ""
    except OSError as error:
        text = "cannot %s" % error
        status = 1
    os.write(told, text.encode())
    os._exit(status)


def be_init(channel, watch, told):
    """The first process of its namespace, which no ordinary signal can end: so it runs no test itself, and comes back
    in its own child alone."""
    pid = os.fork()
    if pid == 0:
        os.close(told)
        return
    os.close(channel)
    os.close(watch)
    ended = None
    while ended is None:
        found, status = os.wait()
        ended = status if found == pid else None
    os.write(told, ending(ended).encode())
    os._exit(0)


def ending(status):
    if os.WIFSIGNALED(status):
        return "signal %d" % os.WTERMSIG(status)
    return "exit %d" % os.WEXITSTATUS(status)


def run(job, settings, begin):
    """One job from start to end: how it ended, and all that it said. None in the child, when it has begun."""
    started = time.time()
    pipes = [os.pipe() for _ in range(3)]
    pid = os.fork()
    if pid == 0:
        for reader, _ in pipes:
            os.close(reader)
        supervise(job, settings, *[writer for _, writer in pipes])
        begin(job, pipes[0][1], pipes[1][1])
        return None
    for _, writer in pipes:
        os.close(writer)
    report, watch, how = read_all([reader for reader, _ in pipes])
    os.waitpid(pid, 0)
    return {
        "job": job["key"],
        "how": how.decode("ascii", "replace"),
        "seconds": round(time.time() - started, 4),
        "report": report.decode("ascii", "replace"),
        "watch": json.loads(watch.decode("ascii")) if watch else None,
    }


def read_all(readers):
    """What comes through several pipes until all are closed at the other end."""
    found = {reader: [] for reader in readers}
    waiting = list(readers)
    while waiting:
        for reader in select.select(waiting, [], [])[0]:
            piece = os.read(reader, 1 << 16)
            if piece:
                found[reader].append(piece)
            else:
                waiting.remove(reader)
                os.close(reader)
    return [b"".join(found[reader]) for reader in readers]


def rewritten():
    """Packages that pytest wants to load by itself, because they belong to a plug-in: its assertions are rewritten."""
    found = set()
    for folder in sys.path:
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            place = os.path.join(folder, name)
            if name.endswith((".dist-info", ".egg-info")) and "[pytest11]" in text_of(place, "entry_points.txt"):
                lines = text_of(place, "RECORD") + text_of(place, "top_level.txt") + text_of(place, "SOURCES.txt")
                found.update(line.split(",")[0].split("/")[0].split(".")[0] for line in lines.splitlines())
    return found


def text_of(*parts):
    try:
        with open(os.path.join(*parts), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def own_modules(repository):
    """Modules of the repository that are loaded here: with one of them, no child could be told from another."""
    roots = (os.path.realpath(repository) + os.sep, repository + os.sep)
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None) or ""
        if place.startswith(roots):
            yield name


def load(names, repository):
    """Load what can be loaded without a module of the repository; the rest the children load themselves."""
    avoided = rewritten()
    for name in names:
        if name in sys.modules or name.split(".")[0] in avoided:
            continue
        before = set(sys.modules)
        try:
            importlib.import_module(name)
            spoilt = any(own_modules(repository))
        except BaseException:
            spoilt = True
        if spoilt:
            for new in set(sys.modules) - before:
                del sys.modules[new]


def pose():
    """From within, the program is what it is in a cold run: `python -m pytest`."""
    program = sys.modules["__main__"]
    program.__spec__ = importlib.util.find_spec("pytest.__main__" if hasattr(pytest, "__path__") else "pytest")
    program.__file__, program.__package__ = program.__spec__.origin, program.__spec__.parent


class Answers:
    """The way out."""

    def __init__(self, descriptor, settings):
        os.set_inheritable(descriptor, False)
        self.descriptor = descriptor
        self.settings = settings

    def tell(self, answer):
        data = json.dumps(answer).encode("ascii") + b"\n"
        while data:
            data = data[os.write(self.descriptor, data) :]

    def work_off(self, jobs, begin):
        """Whether this is the process that worked them off; in a child it is not."""
        freeze()
        for job in jobs:
            self.tell({"begin": job["key"]})
            answer = run(job, self.settings, begin)
            if answer is None:
                return False
            self.tell(answer)
        return True

    def done(self):
        self.tell({"done": len(self.settings["jobs"])})


def freeze():
    """Children that collect garbage need not look at what was there before them."""
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()


def place_to_hold(settings, targets):
    """How far a session comes before it is no longer the same for all jobs; an empty text for its very start."""

    def begin(job, channel, watch):
        assay_hold.find_places(lambda: own_modules(settings["repository"]), watch)
        start(job, channel, watch)

    assay_hold.HOLD.arguments, assay_hold.HOLD.targets = [*settings["arguments"], *targets], targets
    answer = run(dict(settings["scout"], targets=targets), settings, begin)
    places = (answer["watch"] or {}).get("places")
    return places[-1] if places else ""


def hold(place, jobs, answers):
    """A session that is held at a place, and goes on in children alone. Does not return."""

    def serve(adapt):
        def begin(job, channel, watch):
            become(job, watch)
            forget_folders(answers.settings["repository"])
            adapt(job, channel)

        if answers.work_off(jobs, begin):
            answers.done()
            os._exit(0)

    assay_hold.HOLD.place, assay_hold.HOLD.serve = place, serve
    hush()
    finish(assay_hold.HOLD.arguments)


def forget_folders(repository):
    """What the import system saw in the repository's folders: the job's files may lie there by now."""
    for path in list(sys.path_importer_cache):
        if path == repository or path.startswith(repository + os.sep):
            del sys.path_importer_cache[path]


def main():
    settings = json.load(sys.stdin)
    answers = Answers(int(os.environ.pop("ASSAY_CHANNEL_FD")), settings)
    own = sorted(own_modules(settings["repository"]))
    if own:
        answers.tell({"cannot": "the framework itself needs modules of the repository: %s" % ", ".join(own[:3])})
        return
    load(settings["modules"], settings["repository"])
    sys.modules.pop("assay_report", None)
    pose()
    answers.tell({"ready": True})
    later = [job for job in settings["jobs"] if assay_hold.can_go_on(job)]
    now = [job for job in settings["jobs"] if job not in later]
    if not answers.work_off(now, start):
        return
    targets = list(dict.fromkeys(target.partition("::")[0] for job in later for target in job["targets"]))
    place = place_to_hold(settings, targets) if later else ""
    if place:
        hold(place, later, answers)
    if answers.work_off(later, start):
        answers.done()


if __name__ == "__main__":
    main()
