"""Serve a web page on this machine: record or upload a voice, see its label and why.

Nothing leaves the machine. To let others in, name a host, and either a user with a file that
holds the password or --no-auth.
"""

import argparse
import ipaddress
import os
import socket
import sys
from typing import Any

from voxsight.commands.arguments import output_folder, port_number

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--host", default="127.0.0.1", help="address to serve at (%(default)s)")
    parser.add_argument("--port", type=port_number, default=7860,
                        help="port to serve at; 0 takes a free one (%(default)s)")
    parser.add_argument("--model", default="models/default", metavar="DIR",
                        help="model folder (%(default)s)")
    parser.add_argument("--user", metavar="NAME",
                        help="user who may open the page, with --password-file")
    parser.add_argument("--password-file", metavar="FILE",
                        help="file whose first line is the password")
    parser.add_argument("--no-auth", action="store_true",
                        help="let in everybody who can reach the page")
    parser.add_argument("--name", action="append", default=[], metavar="HOST",
                        help="name by which others reach the page, as in its address; may be "
                             "given several times")
    parser.add_argument("--behind-proxy", nargs="?", const="127.0.0.1,::1", metavar="ADDRESSES",
                        help="a proxy at these addresses or networks, separated by commas, says "
                             "who the client is and whether it came by TLS (%(const)s)")
    parser.add_argument("--samples", metavar="DIR",
                        help="folder of recordings that the page offers to everybody (default: "
                             "the eight synthetic voices of my_wavs)")
    parser.add_argument("--keep-in", type=output_folder, metavar="DIR",
                        help="folder for recordings that visitors keep (default: kept_wavs, and "
                             "none where others are let in)")


def run(args: argparse.Namespace) -> int | None:
    """Serve the page until Ctrl-C."""
    from voxsight.network.folder import ModelFolder

    credentials = _credentials(args)
    keep_in = _keep_in(args)
    model = ModelFolder(args.model)
    _ = model.picture_config  # refuses another classifier before anything is loaded
    from voxsight.web.application import build_app
    from voxsight.web.limits import FOR_ONESELF, FOR_OTHERS
    from voxsight.web.server import serve

    limits = FOR_ONESELF if _is_alone(args) else FOR_OTHERS
    app = build_app(model, credentials=credentials, samples=args.samples, keep_in=keep_in,
                    limits=limits, **_addresses(args, bool(credentials)))

    def ready(port: int) -> None:
        host = f"[{args.host}]" if ":" in args.host else args.host
        print(f"http://{host}:{port}/", flush=True)
        print("Ctrl-C ends it", file=sys.stderr)

    serve(app, args.host, args.port, ready, limits=limits, proxies=_proxies(args))
    return None


def _addresses(args: argparse.Namespace, has_password: bool) -> dict[str, Any]:
    """The names that requests may be addressed to, so that no other site can pretend to be this.

    Behind a password that no other site knows any name may lead here, unless some are named.
    """
    if _is_alone(args):
        return {"hosts": [*LOOPBACK, args.host, *args.name]}
    if has_password and not args.name:
        return {"hosts": None}
    return {"hosts": [*LOOPBACK, args.host, socket.gethostname(), *args.name],
            "any_address": True}


def _proxies(args: argparse.Namespace) -> list[str]:
    from voxsight.errors import UsageError

    proxies = [part.strip() for part in (args.behind_proxy or "").split(",") if part.strip()]
    for proxy in proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError:
            raise UsageError(f"--behind-proxy {proxy}: expected an address or a network such as "
                             "10.0.0.0/8") from None
    return proxies


def _keep_in(args: argparse.Namespace) -> str | None:
    """Where visitors keep recordings; never where the page takes its samples from."""
    from voxsight.errors import UsageError

    if args.keep_in is None:
        return "kept_wavs" if _is_alone(args) else None
    samples = args.samples or "my_wavs"
    kept, offered = os.path.realpath(args.keep_in), os.path.realpath(samples)
    if kept == offered or kept.startswith(offered + os.sep):
        raise UsageError(f"--keep-in {args.keep_in}: found the folder of the samples, which "
                         "everybody hears, expected another one")
    return str(args.keep_in)


def _credentials(args: argparse.Namespace) -> tuple[str, str] | None:
    """User and password; None if everybody who reaches the page may open it."""
    from voxsight.errors import UsageError

    if bool(args.user) != bool(args.password_file):
        raise UsageError("found one of --user and --password-file, expected both; add the "
                         "other, or --no-auth in place of them")
    if not args.user:
        if not _is_alone(args) and not args.no_auth:
            flag = f"--host {args.host}" if not _is_local(args.host) else "--behind-proxy"
            raise UsageError(f"{flag}: others could reach it; add --user NAME "
                             "--password-file FILE, or --no-auth to let anyone in")
        return None
    with open(args.password_file, encoding="utf-8") as file:
        password = file.readline().rstrip("\r\n")
    if not password or ":" in args.user:
        raise UsageError(f"{args.password_file}: expected a password in its first line, and a "
                         "user without a colon")
    return args.user, password


def _is_alone(args: argparse.Namespace) -> bool:
    """Whether only those at this machine reach the page."""
    return _is_local(args.host) and args.behind_proxy is None


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
