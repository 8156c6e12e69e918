#!/usr/bin/python3
"""A TCP proxy that holds everything back for a while, in both directions: a slow network where the kernel has no `netem`.

slow_proxy.py PORT ADDRESS DELAY_MS: connections that netfilter redirects to PORT go on to ADDRESS, at the port that they were meant for.
Order is kept, nothing is lost, and at most `HELD_BYTES_MAX` are held for a direction: beyond it the sender waits, as behind a full pipe.
"""

import asyncio
import socket
import struct
import sys

SO_ORIGINAL_DST = 80  # linux/netfilter_ipv4.h
CHUNK_BYTES = 65536
HELD_BYTES_MAX = 4 << 20


def port_meant(writer):
    address = writer.get_extra_info("socket").getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
    return struct.unpack("!2xH", address[:4])[0]


async def hold(reader, writer, delay_s):
    """Carries one direction: a reader that stamps, and a sender that waits until each piece is due."""
    loop = asyncio.get_running_loop()
    pieces = asyncio.Queue(HELD_BYTES_MAX // CHUNK_BYTES)

    async def receive():
        while data := await reader.read(CHUNK_BYTES):
            await pieces.put((loop.time() + delay_s, data))
        await pieces.put((loop.time() + delay_s, b""))

    async def send():
        while True:
            due, data = await pieces.get()
            await asyncio.sleep(max(0, due - loop.time()))
            if not data:
                return
            writer.write(data)
            await writer.drain()

    tasks = [asyncio.ensure_future(receive()), asyncio.ensure_future(send())]
    try:
        # A sender that fails must not leave its reader waiting at a full queue.
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()


async def main():
    port, address, delay_s = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]) / 1000

    async def accept(reader, writer):
        try:
            onward = await asyncio.open_connection(address, port_meant(writer))
        except OSError:
            writer.close()
            return
        await asyncio.gather(hold(reader, onward[1], delay_s), hold(onward[0], writer, delay_s), return_exceptions=True)

    server = await asyncio.start_server(accept, "0.0.0.0", port)
    print("listening", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
