#!/usr/bin/python3
"""asyncssh as a client and a server that a shell can start.

    asyncssh_peer.py server --port N --hostkey FILE... --authorized FILE
    asyncssh_peer.py client --port N --user NAME --key FILE --hostkey FILE.pub... --command WORDS
"""
import argparse
import asyncio
import os
import sys

import asyncssh


def options(args):
    o = {}
    for flag, name in (("kex", "kex_algs"), ("cipher", "encryption_algs"), ("mac", "mac_algs"), ("userkeyalg", "signature_algs")):
        v = getattr(args, flag)
        if v:
            o[name] = v if v == "*" else v.split(",")
    if args.rekey:
        o["rekey_bytes"] = int(args.rekey)
    return o


async def handle(process):
    p = await asyncio.create_subprocess_shell(
        process.command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    await process.redirect(stdin=p.stdin, stdout=p.stdout, stderr=p.stderr)
    status = await p.wait()
    await process.stdout.drain()
    process.exit(status & 0xff)


async def server(args):
    every = {}
    if not args.cipher:  # also what is off by default
        every["encryption_algs"] = "*"
        every["mac_algs"] = "*"
        every["kex_algs"] = "*"
    every.update(options(args))
    s = await asyncssh.listen("127.0.0.1", args.port, server_host_keys=args.hostkey,
                              authorized_client_keys=args.authorized, process_factory=handle, encoding=None,
                              gss_host=None, **every)
    await s.wait_closed()


async def client(args):
    known = []
    for path in args.hostkey:
        with open(path) as f:
            known.append(asyncssh.import_public_key(f.read()))
    o = options(args)
    if args.hostkeyalg:
        o["server_host_key_algs"] = args.hostkeyalg.split(",")
    async with asyncssh.connect("127.0.0.1", args.port, username=args.user, client_keys=[args.key], agent_path=None,
                                config=None, known_hosts=(known, [], []), gss_host=None, **o) as conn:
        # Copies of the descriptors: it closes what it is given.
        p = await conn.create_process(args.command, encoding=None, stdin=os.dup(0), stdout=os.dup(1), stderr=os.dup(2))
        r = await p.wait()
        return r.exit_status if r.exit_status is not None else 255


def main():
    a = argparse.ArgumentParser()
    a.add_argument("role", choices=["client", "server"])
    a.add_argument("--port", type=int, required=True)
    a.add_argument("--hostkey", action="append", default=[])
    a.add_argument("--authorized")
    for flag in ("user", "key", "kex", "cipher", "mac", "hostkeyalg", "userkeyalg", "rekey", "command"):
        a.add_argument("--" + flag)
    args = a.parse_args()
    if args.role == "server":
        asyncio.run(server(args))
    else:
        try:
            status = asyncio.run(client(args))
        except (OSError, asyncssh.Error) as e:
            print("asyncssh client:", e, file=sys.stderr)
            status = 255
        os._exit(status)


main()
