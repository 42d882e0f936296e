#!/usr/bin/python3
"""paramiko as a client and a server that a shell can start.

    paramiko_peer.py server --port N --hostkey FILE... --authorized FILE
    paramiko_peer.py client --port N --user NAME --key FILE --hostkey FILE.pub... --command WORDS
"""
import argparse
import base64
import socket
import subprocess
import sys
import threading
import time

import paramiko


def load_key(path):
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key_file(path)
        except (paramiko.SSHException, ValueError):
            continue
    raise SystemExit("no key in " + path)


def choose(transport, args):
    o = transport.get_security_options()
    if args.kex:
        o.kex = args.kex.split(",")
    if args.cipher:
        o.ciphers = args.cipher.split(",")
    if args.mac:
        o.digests = args.mac.split(",")
    if args.hostkeyalg:
        o.key_types = args.hostkeyalg.split(",")
    if args.rekey:
        transport.packetizer.REKEY_BYTES = int(args.rekey)


class Server(paramiko.ServerInterface):
    def __init__(self, allowed):
        self.allowed = allowed

    def get_allowed_auths(self, username):
        return "publickey"

    def check_auth_publickey(self, username, key):
        return paramiko.AUTH_SUCCESSFUL if key.asbytes() in self.allowed else paramiko.AUTH_FAILED

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_env_request(self, channel, name, value):
        return False

    def check_channel_exec_request(self, channel, command):
        threading.Thread(target=run, args=(channel, command), daemon=True).start()
        return True


def run(channel, command):
    p = subprocess.Popen(["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def feed():
        while True:
            b = channel.recv(32768)
            if not b:
                break
            try:
                p.stdin.write(b)
                p.stdin.flush()
            except BrokenPipeError:
                break
        p.stdin.close()

    def pump(f, send):
        while True:
            b = f.read1(32768)
            if not b:
                break
            send(b)

    pumps = [threading.Thread(target=pump, args=(p.stdout, channel.sendall)),
             threading.Thread(target=pump, args=(p.stderr, channel.sendall_stderr))]
    threading.Thread(target=feed, daemon=True).start()
    for t in pumps:
        t.start()
    for t in pumps:
        t.join()
    channel.send_exit_status(p.wait() & 0xff)
    channel.shutdown_write()
    channel.close()


def serve(conn, keys, allowed):
    t = paramiko.Transport(conn)
    for k in keys:
        t.add_server_key(k)
    try:
        t.start_server(server=Server(allowed))
    except (paramiko.SSHException, EOFError) as e:
        print("paramiko server:", e, file=sys.stderr, flush=True)


def server(args):
    paramiko.Transport.load_server_moduli()
    keys = [load_key(k) for k in args.hostkey]
    allowed = set()
    with open(args.authorized) as f:
        for line in f:
            allowed.add(base64.b64decode(line.split()[1]))
    ln = socket.socket()
    ln.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ln.bind(("127.0.0.1", args.port))
    ln.listen(100)
    while True:
        conn, _ = ln.accept()
        threading.Thread(target=serve, args=(conn, keys, allowed), daemon=True).start()


def client(args):
    known = set()
    for path in args.hostkey:
        with open(path) as f:
            known.add(base64.b64decode(f.read().split()[1]))
    t = paramiko.Transport(socket.create_connection(("127.0.0.1", args.port)))
    choose(t, args)
    t.start_client(timeout=30)
    if t.get_remote_server_key().asbytes() not in known:
        raise SystemExit("host key unknown")
    t.auth_publickey(args.user, load_key(args.key))
    ch = t.open_session()
    ch.exec_command(args.command)

    def feed():
        while True:
            b = sys.stdin.buffer.read1(32768)
            if not b:
                break
            try:
                ch.sendall(b)
            except OSError:
                return
        ch.shutdown_write()

    def pump(recv, f):
        while True:
            b = recv(32768)
            if not b:
                break
            f.write(b)
            f.flush()

    pumps = [threading.Thread(target=pump, args=(ch.recv, sys.stdout.buffer)),
             threading.Thread(target=pump, args=(ch.recv_stderr, sys.stderr.buffer))]
    threading.Thread(target=feed, daemon=True).start()
    for p in pumps:
        p.start()
    for p in pumps:
        p.join()
    status = ch.recv_exit_status()
    t.close()
    sys.stdout.flush()
    import os
    os._exit(status if status >= 0 else 255)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("role", choices=["client", "server"])
    a.add_argument("--port", type=int, required=True)
    a.add_argument("--hostkey", action="append", default=[])
    a.add_argument("--authorized")
    for flag in ("user", "key", "kex", "cipher", "mac", "hostkeyalg", "userkeyalg", "rekey", "command"):
        a.add_argument("--" + flag)
    args = a.parse_args()
    (server if args.role == "server" else client)(args)


main()
