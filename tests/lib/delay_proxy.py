#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""delay_proxy.py TARGET-PORT DELAY-MS: a TCP proxy on a free loopback port (printed) that holds back everything the client
sends by DELAY-MS, so that each request/answer exchange takes that much longer: a registry that is far away. Connecting
costs the same once more, as a handshake over the distance would."""
import asyncio
import sys


async def copy(reader, writer, delay):
    loop = asyncio.get_running_loop()
    waiting = asyncio.Queue()

    async def write():
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(0, due - loop.time()))
            if not data:
                break
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    task = asyncio.create_task(write())
    try:
        while True:
            data = await reader.read(65536)
            waiting.put_nowait((loop.time() + delay, data))
            if not data:
                break
        await task
    except (ConnectionError, OSError):
        task.cancel()
        writer.close()


async def main():
    port, delay = int(sys.argv[1]), int(sys.argv[2]) / 1000

    async def serve(reader, writer):
        try:
            await asyncio.sleep(delay)
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(copy(reader, up_writer, delay), copy(up_reader, writer, 0))
            up_writer.close()
        except (ConnectionError, OSError):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
