"""Starts an agent's command in a sandbox and ends with it. The way to the model is a socket of the host that the
sandbox shows: this listens on loopback, where programs can find it, and hands on to the socket.

Any Python from 3.6, standard library only. What to do comes by standard input, as JSON: `argv`, `variables`, `files`
(path: text), `socket` and `port` (or no socket), `output_bytes`. Of the output the beginning and the end are kept.
"""

import asyncio
import collections
import json
import os
import subprocess
import sys

PIECE = 65536


async def splice(reader, writer):
    try:
        while True:
            piece = await reader.read(PIECE)
            if not piece:
                break
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except (OSError, asyncio.CancelledError):
        writer.close()


def forwarding(path):
    async def forward(reader, writer):
        try:
            there, back = await asyncio.open_unix_connection(path)
        except OSError:
            writer.close()
            return
        await asyncio.wait([asyncio.ensure_future(splice(reader, back)), asyncio.ensure_future(splice(there, writer))])
        back.close()
        writer.close()

    return forward


class Output:
    """Hands on what a program writes, but for the middle of what is too long."""

    def __init__(self, most):
        self.left = most // 2
        self.most = most // 2
        self.tail = collections.deque()
        self.held = 0
        self.dropped = 0

    def take(self, piece):
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
        if self.dropped:
            os.write(1, ("\n[%d bytes left out]\n" % self.dropped).encode())
        for piece in self.tail:
            os.write(1, piece)


async def main():
    told = json.loads(sys.stdin.buffer.read().decode("utf-8", "surrogatepass"))
    for path, text in told["files"].items():
        with open(path, "wb") as stream:
            stream.write(text.encode("utf-8", "surrogatepass"))
    if told["socket"]:
        await asyncio.start_server(forwarding(told["socket"]), "127.0.0.1", told["port"])
    channel = os.environ.pop("ASSAY_CHANNEL_FD", "")
    if channel:
        os.write(int(channel), b"began")
        os.close(int(channel))
    variables = dict(os.environ)
    variables.update(told["variables"])
    read, write = os.pipe()
    child = subprocess.Popen(told["argv"], stdin=subprocess.DEVNULL, stdout=write, stderr=write, env=variables)
    os.close(write)
    output, state = Output(told["output_bytes"]), {"open": True}

    def take():
        piece = os.read(read, PIECE)
        output.take(piece)
        if not piece:
            loop.remove_reader(read)
            state["open"] = False

    loop = asyncio.get_event_loop()
    loop.add_reader(read, take)
    while child.poll() is None:
        await asyncio.sleep(0.02)
    for _ in range(20):  # children of the agent may hold the pipe for longer than it lives
        if state["open"]:
            await asyncio.sleep(0.01)
    output.end()
    sys.stdout.flush()
    os._exit(child.returncode if child.returncode >= 0 else 128 - child.returncode)


if __name__ == "__main__":
    events = asyncio.new_event_loop()
    asyncio.set_event_loop(events)
    events.run_until_complete(main())
