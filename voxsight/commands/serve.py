"""Open a web page on this machine: record or upload a voice, see the answer and why.

Nothing leaves the machine. To let others in, name a host and either a user with a file that
holds the password, or --no-auth.
"""

import ipaddress
import sys

from voxsight.commands.runner import port_number


def configure(parser):
    parser.add_argument("--host", default="127.0.0.1", help="address to serve on (%(default)s)")
    parser.add_argument("--port", type=port_number, default=7860,
                        help="(%(default)s; 0 takes a free one)")
    parser.add_argument("--model", default="models/default", help="model folder (%(default)s)")
    parser.add_argument("--user", metavar="NAME", help="who may use it, with --password-file")
    parser.add_argument("--password-file", metavar="FILE", help="its first line is the password")
    parser.add_argument("--no-auth", action="store_true", help="let anyone in who reaches it")
    parser.add_argument("--samples", default="my_wavs", help="samples to offer (%(default)s)")
    parser.add_argument("--keep-in", default="my_wavs",
                        help="where recordings go that are kept (%(default)s)")


def run(args):
    from voxsight.checkpoint import load_config
    from voxsight.models import check_shows_pictures

    credentials = _credentials(args)
    local = _is_local(args.host)
    check_shows_pictures(load_config(args.model), args.model)
    from voxsight.web.page import build_app, serve

    hosts = ("localhost", "127.0.0.1", "::1", args.host) if local else None
    app = build_app(args.model, hosts=hosts, credentials=credentials, samples=args.samples,
                    keep_in=args.keep_in)

    def ready(port):
        print(f"http://{args.host}:{port}/", flush=True)
        print("Ctrl-C ends it", file=sys.stderr)

    serve(app, args.host, args.port, ready)


def _credentials(args):
    from voxsight.errors import UsageError

    if bool(args.user) != bool(args.password_file):
        raise UsageError("found one of --user and --password-file, expected both")
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


def _is_local(host):
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
