#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A receiving SMTP server that does what a test tells it to.

aiosmtpd speaks the protocol, in a thread of its own; this module adds what real servers offer beyond it (PIPELINING,
ENHANCEDSTATUSCODES, DSN, CHUNKING), keeps what it received, and misbehaves on request. A behaviour is bound to
a moment of the session:

    receiver.on("RCPT", "450 4.2.0 come back later", times=1)     the first RCPT only
    receiver.on("RCPT", "550 5.1.1 no such user", match="nobody@")
    receiver.on("END", DROP)                                      takes the content, then hangs up without a reply
    receiver.on("MAIL", gate)                                     waits until the test sets this threading.Event

The moments are CONNECT (before the greeting), each command by its name, CONTENT (the first line of it came; for DROP)
and END (the content is complete). The port is kept while the server is down: connections are refused then, and
nobody else can take it.

Run as a program it is the demo's receiving server: it asks for TLS and a login, and writes each message to a file.
"""

import argparse
import asyncio
import re
import signal
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field

from aiosmtpd.smtp import SMTP, AuthResult

# The longest that a test waits for something that should come soon; slow only where the tests fail.
PATIENCE_SECONDS = 120

DROP = object()  # as a behaviour: hang up


def reserve(host="127.0.0.1", port=0):
    """A socket that is bound and does not listen: connections to it are refused, and its port is nobody else's.

    Who sets SO_REUSEADDR, too, may listen there all the same.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    return bound


@dataclass
class Received:
    """A message as it came in."""

    sender: str  # "" is the null reverse-path
    recipients: list
    content: bytes
    mail_options: list  # as sent, "RET=HDRS"
    recipient_options: dict  # address -> list as sent
    connection: int  # which connection, from 1
    tls: bool
    user: str  # who logged in, or None
    usec: int
    chunks: int = 0  # how many BDAT commands it came in; 0: DATA
    client: str = ""  # the name that the client said


@dataclass
class Rule:
    moment: str
    action: object
    times: int
    match: object
    used: int = 0


@dataclass
class Connection:
    number: int
    commands: list = field(default_factory=list)  # "MAIL FROM:<…>", arguments of AUTH left out


class _Session(SMTP):
    """One session: aiosmtpd's, with the receiver's rules and extensions around it."""

    def __init__(self, receiver):
        self.receiver = receiver
        self.line_length_limit = receiver.line_limit
        self.connection = None
        self._reset_options()
        super().__init__(
            receiver,
            data_size_limit=receiver.size_limit,
            enable_SMTPUTF8="SMTPUTF8" in receiver.extensions,
            hostname="receiver.example",
            ident="ESMTP",
            tls_context=receiver.context if receiver.tls == "starttls" else None,
            require_starttls=receiver.require_tls,
            auth_required=bool(receiver.users) and receiver.require_auth,
            auth_require_tls=receiver.tls == "starttls",
            auth_exclude_mechanism=[m for m in ("PLAIN", "LOGIN") if m not in receiver.mechanisms],
            authenticator=receiver.authenticate,
            loop=receiver.loop,
        )
        for name, method in self._smtp_methods.items():
            self._smtp_methods[name] = self._scripted(name, method)
        if "CHUNKING" not in receiver.extensions:
            self._smtp_methods.pop("BDAT")

    def _reset_options(self):
        self.mail_options = []
        self.recipient_options = {}
        self.chunks = []

    def _scripted(self, name, method):
        """The command's method, with the rules for it in front."""

        async def run(argument):
            text = name if argument is None or name == "AUTH" else f"{name} {argument}"
            self.connection.commands.append(text)
            if name in ("EHLO", "HELO", "RSET"):
                self._reset_options()
            reply = await self.obey(name, text)
            if reply is None:
                await method(argument)
            else:
                await self.answer(reply)

        return run

    async def obey(self, moment, text=""):
        """Does what the rules say of this moment; returns the reply to give in place of the usual one, or None."""
        action = self.receiver.take_action(self, moment, text)
        if action is DROP:
            self.transport.abort()
            raise asyncio.CancelledError
        if isinstance(action, threading.Event):
            while not action.is_set() and self.transport is not None:
                await asyncio.sleep(0.01)
            return None
        return action

    async def answer(self, reply):
        await self.push(reply)
        if reply.startswith("421"):
            self.transport.close()
            raise asyncio.CancelledError  # what was sent ahead is not read

    async def _handle_client(self):
        if self._original_transport is None:  # else STARTTLS began the session anew
            self.connection = self.receiver.open_connection()
            reply = await self.obey("CONNECT")
            if reply is not None:
                await self.push(reply)
                self.transport.close()
                return
        await super()._handle_client()

    def _split_options(self, argument):
        """Cuts what DSN adds from the argument of MAIL or RCPT: aiosmtpd does not know it."""
        words = (argument or "").split(" ")
        extra = [w for w in words[1:] if re.match(r"(?i)(RET|ENVID|NOTIFY|ORCPT)=", w)]
        if extra and "DSN" in self.receiver.extensions:
            words = [w for w in words if w not in extra]
        return " ".join(words), [w for w in (argument or "").split(" ")[1:] if w]

    async def smtp_MAIL(self, argument):
        rest, self.mail_options = self._split_options(argument)
        self.recipient_options = {}
        await super().smtp_MAIL(rest)

    async def smtp_RCPT(self, argument):
        rest, options = self._split_options(argument)
        known = len(self.envelope.rcpt_tos)
        await super().smtp_RCPT(rest)
        if len(self.envelope.rcpt_tos) > known:
            self.recipient_options[self.envelope.rcpt_tos[-1]] = options

    async def smtp_DATA(self, argument):
        if self.envelope.rcpt_tos and self.receiver.has_rule("CONTENT"):
            await self.push("354 go on")
            await self._reader.readuntil(b"\n")
            await self.obey("CONTENT")
        await super().smtp_DATA(argument)

    async def smtp_BDAT(self, argument):
        """A chunk of content (RFC 3030)."""
        words = (argument or "").upper().split()
        if not words or not words[0].isdigit():
            await self.push("501 5.5.4 Syntax: BDAT size [LAST]")
            return
        chunk = await self._reader.readexactly(int(words[0]))
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 need RCPT first")
            return
        self.chunks.append(chunk)
        if words[1:] != ["LAST"]:
            await self.push(f"250 2.0.0 {len(chunk)} octets received")
            return
        self.envelope.content = self.envelope.original_content = b"".join(self.chunks)
        status = await self.receiver.handle_DATA(self, self.session, self.envelope)
        self.chunks = []
        self._set_post_data_state()
        await self.push(status)


class Receiver:
    """A receiving server on a port of the loopback. A context manager: it is up inside."""

    def __init__(self, *, tls=None, certificate=None, require_tls=False, users=None, require_auth=True,
                 mechanisms=("LOGIN", "PLAIN"), extensions=("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"),
                 size_limit=None, line_limit=1001, port=0, host="127.0.0.1", on_message=None):
        """tls: None, "starttls" or "implicit", with certificate=(file, key file). users: name -> password."""
        self.tls = tls
        self.require_tls = require_tls
        self.users = users or {}
        self.require_auth = require_auth
        self.mechanisms = mechanisms
        self.extensions = set(extensions)
        self.size_limit = size_limit
        self.line_limit = line_limit  # without CRLF; a message with a longer line is refused
        self.on_message = on_message
        self.host = host
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        self.messages = []
        self.connections = []
        self.logins = []  # (user, accepted)
        self.rules = []
        self.changed = threading.Condition()
        self.loop = None
        self.thread = None
        self.reserved = self._reserve(port)
        self.port = self.reserved.getsockname()[1]

    # ---- up and down ----

    def _reserve(self, port):
        return reserve(self.host, port)

    def start(self):
        """Listens; returns itself."""
        listening, self.reserved = self.reserved, None
        started = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(listening, started), daemon=True)
        self.thread.start()
        assert started.wait(PATIENCE_SECONDS)
        return self

    def _run(self, listening, started):
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        implicit = self.context if self.tls == "implicit" else None
        server = self.loop.run_until_complete(
            self.loop.create_server(lambda: _Session(self), sock=listening, ssl=implicit, backlog=1024))
        started.set()
        self.loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def stop(self):
        """Hangs up on all sessions and refuses new ones; the port stays ours."""
        if self.thread is None:
            return
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE_SECONDS)
        self.thread = None
        self.reserved = self._reserve(self.port)

    def close(self):
        self.stop()
        self.reserved.close()

    def __enter__(self):
        return self.start() if self.thread is None else self

    def __exit__(self, *_):
        self.close()

    # ---- what tests ask for ----

    def on(self, moment, action, *, times=None, match=None):
        """From now on does action at this moment, the first `times` times, where the command line matches."""
        with self.changed:
            self.rules.append(Rule(moment, action, times, match and re.compile(match), 0))

    def forgive(self):
        """Forgets all behaviours."""
        with self.changed:
            self.rules.clear()

    def greylist(self, reply="451 4.7.1 greylisted, come back later"):
        """Refuses each pair of sender and recipient once."""
        seen = set()

        def once(session, text):
            pair = (session.envelope.mail_from, text)
            if pair in seen:
                return None
            seen.add(pair)
            return reply

        self.on("RCPT", once)

    def wait_for(self, condition, seconds=PATIENCE_SECONDS, what="the receiver"):
        """Waits until condition(self) holds, looking again at each event; returns its value."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while not (value := condition(self)):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"{what} did not get there in {seconds} s: {len(self.messages)} messages, "
                                         f"connections {self.connections}")
                self.changed.wait(left)
            return value

    def wait_messages(self, count, seconds=PATIENCE_SECONDS):
        """Waits until so many messages came; returns them all."""
        self.wait_for(lambda r: len(r.messages) >= count, seconds, f"{count} messages")
        return list(self.messages)

    def commands(self, verb=None):
        """All command lines of all connections, of one verb if it is given."""
        with self.changed:
            lines = [line for c in self.connections for line in c.commands]
        return [line for line in lines if verb is None or line.split(" ")[0] == verb]

    # ---- called by the sessions, in the server's thread ----

    def open_connection(self):
        with self.changed:
            self.connections.append(Connection(len(self.connections) + 1))
            self.changed.notify_all()
            return self.connections[-1]

    def has_rule(self, moment):
        with self.changed:
            return any(r.moment == moment and (r.times is None or r.used < r.times) for r in self.rules)

    def take_action(self, session, moment, text):
        with self.changed:
            self.changed.notify_all()
            for rule in self.rules:
                if rule.moment != moment or (rule.times is not None and rule.used >= rule.times):
                    continue
                if rule.match and not rule.match.search(text):
                    continue
                action = rule.action
                if callable(action):
                    action = action(session, text)
                if action is None:
                    continue
                rule.used += 1
                return action
            return None

    def authenticate(self, server, session, envelope, mechanism, data):
        user, password = data.login.decode(), data.password.decode()
        accepted = self.users.get(user) == password
        session.user = user if accepted else None
        with self.changed:
            self.logins.append((user, accepted))
            self.changed.notify_all()
        return AuthResult(success=accepted, handled=False, auth_data=data)

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        kept = [r for r in responses[:-1] if r != "250-8BITMIME" or "8BITMIME" in self.extensions]
        if not self.users:
            kept = [r for r in kept if not r.startswith("250-AUTH")]
        added = ["PIPELINING", "ENHANCEDSTATUSCODES", "DSN", "CHUNKING"]
        return kept + [f"250-{name}" for name in added if name in self.extensions] + ["250 HELP"]

    async def handle_DATA(self, server, session, envelope):
        reply = await server.obey("END")
        if reply is not None:
            return reply
        sender = envelope.mail_from if envelope.mail_from not in (None, "<>") else ""
        received = Received(sender, list(envelope.rcpt_tos), bytes(envelope.original_content), server.mail_options,
                            dict(server.recipient_options), server.connection.number, session.ssl is not None or
                            self.tls == "implicit", getattr(session, "user", None), time.time_ns() // 1000,
                            len(server.chunks), session.host_name)
        if self.on_message:
            self.on_message(received)
        with self.changed:
            self.messages.append(received)
            self.changed.notify_all()
            return f"250 2.0.0 ok, kept as {len(self.messages)}"


def main():
    parser = argparse.ArgumentParser(description="A receiving SMTP server that asks for STARTTLS and a login.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certificate", required=True, help="PEM file")
    parser.add_argument("--key", required=True, help="PEM file")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password-file", required=True)
    parser.add_argument("--folder", required=True, help="each message becomes a file here: 1.eml, 2.eml, ...")
    arguments = parser.parse_args()
    with open(arguments.password_file, encoding="utf-8") as file:
        password = file.readline().rstrip("\n")
    count = 0

    def keep(message):
        nonlocal count
        count += 1
        with open(f"{arguments.folder}/{count}.eml", "wb") as file:
            file.write(message.content)
        print(f"received {count}: from {message.sender} to {' '.join(message.recipients)} by {message.user} "
              f"{'over TLS' if message.tls else 'in plain text'}, connection {message.connection}", flush=True)

    with Receiver(tls="starttls", require_tls=True, certificate=(arguments.certificate, arguments.key),
                  users={arguments.user: password}, port=arguments.port, on_message=keep):
        print("ready", flush=True)
        signal.pause()  # until it is killed


if __name__ == "__main__":
    main()
