"""Starts an agent's command in a sandbox and ends with it. The way to the model is a socket of the host that the
sandbox shows: this listens on loopback, where programs can find it, and hands on to the socket.

Any Python from 3.6, standard library only. What to do comes by standard input, as JSON: `argv`, `variables`, `files`
(path: text), `socket` and `port` (or no socket), `output_bytes`. Of the output the beginning and the end are kept.

Threads and not asyncio, whose import alone would double what each of hundreds of agents holds in memory.
"""

import collections
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading

PIECE = 65536
LATE_SECONDS = 0.2


def splice(source, sink):
    try:
        while True:
            piece = source.recv(PIECE)
            if not piece:
                break
            sink.sendall(piece)
    except OSError:
        pass
    for end, way in ((sink, socket.SHUT_WR), (source, socket.SHUT_RD)):
        with contextlib.suppress(OSError):
            end.shutdown(way)


def forward(here, path):
    with here, socket.socket(socket.AF_UNIX) as there:
        try:
            there.connect(path)
        except OSError:
            return
        back = begin(splice, there, here)
        splice(here, there)
        back.join()


def listen(port, path):
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(128)

    def accept():
        while True:
            begin(forward, listening.accept()[0], path)

    begin(accept)


def begin(function, *arguments):
    thread = threading.Thread(target=function, args=arguments)
    thread.daemon = True
    thread.start()
    return thread


class Output:
    """Hands on what a program writes, but for the middle of what is too long."""

    def __init__(self, most):
        self.left = most // 2
        self.most = most // 2
        self.tail = collections.deque()
        self.held = 0
        self.dropped = 0
        self.lock = threading.Lock()

    def take(self, piece):
        with self.lock:
            self._take(piece)

    def _take(self, piece):
        head, piece = piece[: self.left], piece[self.left :]
        self.left -= len(head)
        if head:
            os.write(1, head)
        if not piece:
            return
        self.tail.append(piece)
        self.held += len(piece)
        while self.held - len(self.tail[0]) >= self.most:
            self.held -= len(self.tail[0])
            self.dropped += len(self.tail.popleft())

    def end(self):
        self.lock.acquire()  # for good: what comes now comes too late
        if self.dropped:
            os.write(1, ("\n[%d bytes left out]\n" % self.dropped).encode())
        for piece in self.tail:
            os.write(1, piece)


def main():
    told = json.loads(sys.stdin.buffer.read().decode("utf-8", "surrogatepass"))
    for path, text in told["files"].items():
        with open(path, "wb") as stream:
            stream.write(text.encode("utf-8", "surrogatepass"))
    if told["socket"]:
        listen(told["port"], told["socket"])
    channel = os.environ.pop("ASSAY_CHANNEL_FD", "")
    if channel:
        os.write(int(channel), b"began")
        os.close(int(channel))
    variables = dict(os.environ)
    variables.update(told["variables"])
    read, write = os.pipe()
    child = subprocess.Popen(told["argv"], stdin=subprocess.DEVNULL, stdout=write, stderr=write, env=variables)
    os.close(write)
    output = Output(told["output_bytes"])

    def take():
        while True:
            piece = os.read(read, PIECE)
            if not piece:
                return
            output.take(piece)

    taking = begin(take)
    status = child.wait()
    taking.join(LATE_SECONDS)  # children of the agent may hold the pipe for longer than it lives
    output.end()
    sys.stdout.flush()
    os._exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
