"""Runs the server of a home in this process."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import logging
import os
import signal
import socket
import sys

from polynya.home import Address, Home, HomeError
from polynya.runtime import fence
from polynya.server.times import Times

log = logging.getLogger(__name__)

# A stopping server waits this long for requests in progress; their statements are cancelled.
_SHUTDOWN_SECONDS = 5
# A consumer of one of its shares, or a backup, may be reading a home whose server does not run.
_LOCK_SECONDS = 2.0


def serve(
    home: Home,
    host: str | None = None,
    port: int | None = None,
    tls: bool | None = None,
    times: Times | None = None,
    cores: int | None = None,
) -> None:
    """Serves a home until the process is told to stop.

    Args:
        home: with a warehouse in it.
        host: address to listen on; default the connection's, which is loopback.
        port: 0 for any free one; default the connection's.
        tls: serve HTTPS with a certificate of the home's own; default as the connection says.
        times: other than the usual ones.
        cores: that it uses; default the machine's.

    Raises:
        HomeError: if another server has the home, or the port is taken.
    """
    from filelock import FileLock, Timeout

    home.require()
    _allow_many_connections()
    lock = FileLock(home.lock)
    try:
        lock.acquire(timeout=_LOCK_SECONDS)
    except Timeout:
        raise HomeError(f"A server for {home.path} is running already: `polynya status --home {home.path}`.") from None
    try:
        _serve_locked(home, host, port, tls, times or Times(), cores)
    finally:
        home.address_file.unlink(missing_ok=True)
        lock.release()


def _serve_locked(
    home: Home, host: str | None, port: int | None, tls: bool | None, times: Times, cores: int | None
) -> None:
    import uvicorn

    from polynya.server.app import create_app
    from polynya.server.memory import limit_memory
    from polynya.server.protocol import Protocol
    from polynya.server.state import State
    from polynya.session.account import Account

    limit_memory()
    connection = home.connection()
    home.owner_key(make=True)
    host = host or "127.0.0.1"
    chosen = connection["port"] if port is None else port
    secure = connection["protocol"] == "https" if tls is None else tls
    certificate = key = None
    if secure:
        from polynya.server.certificates import Certificates

        certificates = Certificates(home.tls)
        certificates.ensure(host)
        certificate, key = str(certificates.server), str(certificates.server_key)
    listener = _listen(host, chosen)
    protocol = "https" if secure else "http"
    address = Address(os.getpid(), _reachable(host), listener.getsockname()[1], protocol)
    account = Account(home.path, cores)
    state = State(account, times)

    def ready() -> None:
        here = {"host": address.host, "port": address.port, "protocol": address.protocol}
        if {name: connection[name] for name in here} != here:
            home.write_connection({**connection, **here})
        unfinished = home.address_file.with_suffix(".part")
        unfinished.write_text(json.dumps({"pid": address.pid, **here}))
        unfinished.replace(home.address_file)
        gc.freeze()  # what is loaded now stays: collecting garbage need not look at it again and again
        log.info("ready at %s, home %s", address.url, home.path)
        fence.warn()

    config = uvicorn.Config(
        create_app(state, ready),
        http=Protocol,
        loop="asyncio",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        # Drivers keep connections for long; Snowpark's are idle for minutes.
        timeout_keep_alive=300,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            account.cancel_all()  # whoever waits for a statement is told so
            await super().shutdown(sockets)

    # Uvicorn stops at these signals and then raises them again, which would end the process before the home is closed.
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda number, frame: None)
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1)  # what every thread does, for whoever finds that something hangs
    Server(config).run(sockets=[listener])
    if not account.close():
        log.error("a statement did not react to being cancelled; the process ends without it")
        home.address_file.unlink(missing_ok=True)
        logging.shutdown()
        os._exit(1)  # leaving in order would wait for its thread
    log.info("stopped")


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns off the wait for more bytes on every connection.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise HomeError(
            f"Port {port} on {host} cannot be used ({error.strerror}): choose another with --port."
        ) from None
    listener.listen(512)
    return listener


def _allow_many_connections() -> None:
    """Raises the number of files this process may have open as far as it is let."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _reachable(host: str) -> str:
    """An address that reaches a server listening on ``host`` from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def configure_logging() -> None:
    """Logs to standard error, which a server in the background has in its log file."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
