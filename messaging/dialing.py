"""TCP and TLS without blocking the event loop, each step cancellable; the socket is closed unless it is returned."""

import asyncio
import socket
import ssl


async def dial(host: str, port: int, tls: ssl.SSLContext | None) -> socket.socket:
    """Return a connected non-blocking socket, its TLS handshake done; raise OSError with the last address's reason."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure = OSError(f"{host} has no address")
    for family, kind, protocol, _, address in addresses:
        raw = socket.socket(family, kind, protocol)
        try:
            raw.setblocking(False)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(raw, address)
        except OSError as error:
            raw.close()
            failure = error
            continue
        except BaseException:
            raw.close()
            raise
        return raw if tls is None else await _handshake(raw, tls, host)
    raise failure


async def _handshake(raw: socket.socket, tls: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    try:
        secured = tls.wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
    except BaseException:
        raw.close()
        raise
    try:
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                await _until(secured, writable=False)
            except ssl.SSLWantWriteError:
                await _until(secured, writable=True)
            else:
                return secured
    except BaseException:
        secured.close()
        raise


async def _until(waiting: socket.socket, *, writable: bool) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    add, remove = (loop.add_writer, loop.remove_writer) if writable else (loop.add_reader, loop.remove_reader)
    add(waiting, ready.set)
    try:
        await ready.wait()
    finally:
        remove(waiting)
