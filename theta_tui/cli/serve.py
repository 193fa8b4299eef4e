"""`theta serve`: a web page in front of this home's engine, with an address, a token and a QR code."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Annotated

import typer

from theta_tui.base.errors import UsageError
from theta_tui.cli.console import Invocation
from theta_tui.cli.engine import started
from theta_tui.cli.models import get_missing

EXTRA = "theta serve needs a few packages more: pip install 'theta-tui[serve]'"


def serve(
    call: Invocation,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="The port.", min=0, max=65535)] = 8765,
    name: Annotated[
        list[str] | None, typer.Option("--name", help="Another name by which this machine is reached; repeat it.")
    ] = None,
    new_token: Annotated[bool, typer.Option("--new-token", help="A new token: older links end.")] = False,
    certfile: Annotated[Path | None, typer.Option("--certfile", help="A certificate, for https.")] = None,
    keyfile: Annotated[Path | None, typer.Option("--keyfile", help="Its key, if that is in another file.")] = None,
) -> None:
    """A web page for friends and phones: they teach this home's model, each in a conversation of their own. Programs
    have OpenAI's chat API, and can teach too."""
    try:
        import uvicorn

        from theta_tui.serve.connections import configured
        from theta_tui.serve.guard import token_of
        from theta_tui.serve.site import Site
    except ImportError:
        raise UsageError(EXTRA) from None
    from theta_tui.engine.client import Connection

    _check(certfile, keyfile)
    get_missing(call, call.settings.model)
    held = Connection.to(call.settings.home)  # while it is open the engine is not idle
    if held is None:
        started(call).close()  # that one hears everything
        held = Connection.to(call.settings.home)
    token = token_of(call.settings.home, new=new_token)
    scheme = "http" if certfile is None else "https"
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    site = Site(call.settings.home, token, _names(host, port, name or []), secure=certfile is not None)
    shown = f"[{host}]" if ":" in host else host
    address = f"{scheme}://{shown}:{port}/#token={token}"
    if call.json:
        call.emit(address=address, api=f"{scheme}://{shown}:{port}/v1", host=host, port=port, token=token)
    else:
        call.out(f"the page is at {address}")
        _show_code(call, address)
        call.out("who has this link can teach; ctrl+c ends the page")
        call.out(f"programs: OpenAI's chat API at {scheme}://{shown}:{port}/v1, model theta, the token is the key")
    try:
        uvicorn.Server(configured(site.app, certfile=certfile, keyfile=keyfile)).run(sockets=[listening])
    finally:
        if held is not None:
            held.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only where TCP is named does asyncio send at once what is written. Else each answer waits 40 ms for the client.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise UsageError(
            f"{host} port {port} cannot be used ({error.strerror}); give another --port or --host"
        ) from None
    return listening


def _check(certfile: Path | None, keyfile: Path | None) -> None:
    """Raises UsageError where these cannot be used for https."""
    import ssl

    if certfile is None:
        if keyfile is not None:
            raise UsageError("--keyfile is the key of a certificate; give that too, with --certfile")
        return
    where = f"{certfile}" if keyfile is None else f"{certfile} with the key {keyfile}"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certfile, keyfile)
    except ssl.SSLError as error:
        why = f" ({error.reason.lower().replace('_', ' ')})" if error.reason else ""
        raise UsageError(f"{where} is no certificate in PEM, with its key{why}") from None
    except OSError as error:
        raise UsageError(f"{where} cannot be read ({error.strerror})") from None


def _names(host: str, port: int, more: list[str]) -> list[str]:
    """What may stand in a Host header: the address, the loopback names, and what the owner says."""
    names = {host, *more, "localhost", "127.0.0.1", "::1"}
    try:
        if ipaddress.ip_address(host).is_unspecified:
            names |= {socket.gethostname(), *_addresses()}
    except ValueError:
        pass
    found = [f"[{name}]" if ":" in name else name.lower() for name in names]
    return [each for name in found for each in (name, f"{name}:{port}")]


def _addresses() -> set[str]:
    """The addresses of this machine, as far as its name tells."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(socket.gethostname(), None)}
    except OSError:
        return set()


def _show_code(call: Invocation, address: str) -> None:
    import io

    import segno

    drawn = io.StringIO()
    segno.make(address, error="l").terminal(drawn, compact=True, border=1)
    print(drawn.getvalue(), flush=True)
