"""Calls a candidate's program inside the sandbox and tells what came back. It knows inputs and nothing else.

Python 3.6 and later, standard library only, started with -I -S so that nothing of the repository is imported. What
is expected never comes here: a candidate that reads, stops or replaces this program can only give wrong answers.
"""

import base64
import contextlib
import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

STDERR_BYTES = 8192
GRACE_SECONDS = 0.5
PORT = "{port}"


def tell(channel, **event):
    data = json.dumps(event).encode() + b"\n"
    while data:
        data = data[os.write(channel, data) :]


def text(data):
    return base64.b64encode(data).decode()


class Reader(threading.Thread):
    """Reads a stream up to a bound; what comes after is an excess."""

    def __init__(self, stream, bound, stop):
        threading.Thread.__init__(self, daemon=True)
        self.stream, self.bound, self.stop = stream, bound, stop
        self.data, self.excess = b"", False
        self.start()

    def run(self):
        try:
            while True:
                chunk = os.read(self.stream.fileno(), 65536)
                if not chunk:
                    return
                room = self.bound - len(self.data)
                self.data += chunk[:room]
                if len(chunk) > room and self.stop is not None and not self.excess:
                    self.excess = True
                    self.stop()
        except (OSError, ValueError):
            pass


class Program:
    """A running command in a group of processes of its own."""

    def __init__(self, argv, stdin, bound):
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        self.out = Reader(self.process.stdout, bound, self.kill)
        self.err = Reader(self.process.stderr, STDERR_BYTES, None)
        self.feeder = threading.Thread(target=self.feed, args=(stdin,), daemon=True)
        self.feeder.start()

    def feed(self, data):
        try:
            self.process.stdin.write(data)
            self.process.stdin.close()
        except (OSError, ValueError):
            pass

    def kill(self):
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def wait(self, seconds):
        """The exit status, or None when the time is over. Nothing of the group outlives this."""
        try:
            status = self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            status = None
        self.kill()
        self.process.wait()
        # A grandchild that left the group may hold the pipe open; nobody waits for it.
        self.out.join(GRACE_SECONDS)
        self.err.join(GRACE_SECONDS)
        return status


def call(argv, case, seconds, bound):
    """One command from its start to its end."""
    try:
        program = Program(argv, case["stdin"].encode(), bound)
    except OSError as error:
        return [{"stop": "start", "why": str(error)}]
    status = program.wait(seconds)
    stop = "output" if program.out.excess else "time" if status is None else ""
    return [{"stop": stop, "status": status, "out": text(program.out.data), "err": text(program.err.data)}]


def serve(command, case, seconds, bound):
    """Start a server, send the requests, end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    end = time.monotonic() + seconds
    try:
        server = Program([word.replace(PORT, str(port)) for word in command], b"", bound)
    except OSError as error:
        return [{"stop": "start", "why": str(error)}]
    results = []
    try:
        if not ready(port, server.process, end):
            time.sleep(0.05)
            why = server.err.data.decode("utf-8", "replace")[-500:]
            return [{"stop": "time" if server.process.poll() is None else "start", "why": why}]
        for request in case["requests"]:
            results.append(ask(port, request, end, bound))
            if results[-1]["stop"]:
                break
    finally:
        server.wait(0)
    return results


def ready(port, process, end):
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


def ask(port, request, end, bound):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=max(0.05, end - time.monotonic()))
    headers, body = dict(request["headers"]), request["body"].encode()
    if "json" in request:
        body = json.dumps(request["json"]).encode()
        headers.setdefault("Content-Type", "application/json")
    try:
        connection.request(request["method"], request["path"], body or None, headers)
        # The time-out of the connection is for one read; a server that drips is ended by this.
        timer = threading.Timer(max(0.05, end - time.monotonic()), shut, (connection,))
        timer.daemon = True
        timer.start()
        answer = connection.getresponse()
        data = answer.read(bound + 1)
        timer.cancel()
        found = [[str(name), str(value)] for name, value in answer.getheaders()]
        stop = "output" if len(data) > bound else "time" if time.monotonic() > end else ""
        return {"stop": stop, "status": answer.status, "out": text(data[:bound]), "headers": found}
    except socket.timeout:
        return {"stop": "time"}
    except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
        return {"stop": "time" if time.monotonic() > end else "answer", "why": repr(error)[:500]}
    finally:
        connection.close()


def shut(connection):
    with contextlib.suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)


def lay(files):
    """Put a case's files in place; what was there before, by path."""
    before = {}
    for path, content in files.items():
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        try:
            with open(path, "rb") as stream:
                before[path] = stream.read()
        except OSError:
            before[path] = None
        with open(path, "wb") as stream:
            stream.write(content.encode())
    return before


def restore(before):
    for path, content in before.items():
        try:
            if content is None:
                os.remove(path)
            else:
                with open(path, "wb") as stream:
                    stream.write(content)
        except OSError:
            pass


def run(group, case):
    before = {}
    try:
        before = lay(case["files"])
        if case["requests"]:
            return serve(group["command"], case, group["seconds"], group["bytes"])
        return call(group["command"] + case["arguments"], case, group["seconds"], group["bytes"])
    except OSError as error:
        return [{"stop": "start", "why": str(error)}]
    finally:
        restore(before)


def main():
    channel = int(os.environ.pop("ASSAY_CHANNEL_FD"))
    os.set_inheritable(channel, False)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE: siblings neither read nor trace this process
    plan = json.loads(sys.stdin.buffer.read().decode())
    tell(channel, e="start")
    count = 0
    for number, group in enumerate(plan["groups"]):
        for place, case in enumerate(group["cases"]):
            began = time.monotonic()
            results = run(group, case)
            tell(channel, e="case", group=number, case=place, seconds=time.monotonic() - began, results=results)
            count += 1
    tell(channel, e="finish", count=count)


main()
