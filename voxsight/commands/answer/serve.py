"""Serve a web page on this machine: record or upload a voice, see its label and why.

Nothing leaves the machine. To let others in, name a host, and either a user with a file that
holds the password or --no-auth.
"""

import argparse
import ipaddress
import sys

from voxsight.commands.arguments import port_number


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
    parser.add_argument("--samples", default="my_wavs", metavar="DIR",
                        help="folder of recordings that the page offers (%(default)s)")
    parser.add_argument("--keep-in", default="my_wavs", metavar="DIR",
                        help="folder for recordings that visitors keep (%(default)s)")


def run(args: argparse.Namespace) -> int | None:
    """Serve the page until Ctrl-C."""
    from voxsight.network.folder import ModelFolder

    credentials = _credentials(args)
    local = _is_local(args.host)
    model = ModelFolder(args.model)
    _ = model.picture_config  # refuses another classifier before the page takes its seconds
    from voxsight.web.page import build_app, serve

    hosts = ("localhost", "127.0.0.1", "::1", args.host) if local else None
    app = build_app(model, hosts=hosts, credentials=credentials, samples=args.samples,
                    keep_in=args.keep_in)

    def ready(port: int) -> None:
        print(f"http://{args.host}:{port}/", flush=True)
        print("Ctrl-C ends it", file=sys.stderr)

    serve(app, args.host, args.port, ready)
    return None


def _credentials(args: argparse.Namespace) -> tuple[str, str] | None:
    """User and password; None if everybody who reaches the page may open it."""
    from voxsight.errors import UsageError

    if bool(args.user) != bool(args.password_file):
        raise UsageError("found one of --user and --password-file, expected both; add the "
                         "other, or --no-auth in place of them")
    if not args.user:
        if not _is_local(args.host) and not args.no_auth:
            raise UsageError(f"--host {args.host}: others could reach it; add --user NAME "
                             "--password-file FILE, or --no-auth to let anyone in")
        return None
    with open(args.password_file, encoding="utf-8") as file:
        password = file.readline().rstrip("\r\n")
    if not password or ":" in args.user:
        raise UsageError(f"{args.password_file}: expected a password in its first line, and a "
                         "user without a colon")
    return args.user, password


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
