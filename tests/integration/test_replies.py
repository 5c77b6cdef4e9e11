# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers say, and what becomes of it: replies of any length, refusals before a message, floods."""

import ssl
import threading

import pytest

import mail
from receiver import PATIENCE_SECONDS, reserve

LONG = {"a long line": "550 5.7.1 our policy forbids this: " + "x" * 8000,
        "a very long line": "550 5.7.1 our policy forbids this: " + "ü" * 200_000,
        "many lines": "550-5.7.1 our policy forbids this\r\n" + "550-5.7.1 see\r\n" * 300 + "550 5.7.1 here",
        "many long lines": "550-5.7.1 our policy forbids this\r\n" + ("550-5.7.1 " + "y" * 5000 + "\r\n") * 100 + "550 5.7.1 z"}


@pytest.mark.parametrize("moment", ["MAIL", "RCPT", "DATA", "END"])
@pytest.mark.parametrize("length", LONG)
def test_a_refusal_of_any_length_is_one(relay, receiver, moment, length):
    receiver.on(moment, LONG[length], times=1)
    relay.send()
    notice = mail.Notice(receiver.wait_messages(1)[0])
    assert notice.recipient("recipient@example.net")["Status"] == "5.7.1"
    assert "our policy forbids this" in notice.text
    assert not relay.log.find("has to wait|cannot be used")


# ---- a name that is not wanted ----


@pytest.mark.parametrize("then", ["550 5.7.1 still not", "421 4.3.2 closing", None], ids=["helo-too", "421", "tls-needed"])
def test_the_reason_that_ehlo_was_refused_for_is_shown(make_relay, make_receiver, certificates, then):
    receiver = make_receiver(tls="starttls", certificate=certificates.server)
    receiver.on("EHLO", "550 5.7.1 Helo command rejected: need fully-qualified hostname")
    if then:
        receiver.on("HELO", then)
    relay = make_relay(receiver, {"Relay": {"HostName": "box"}, "Smarthost": {"TLS": "starttls"}})
    relay.send()
    relay.wait_line("smarthost default .* cannot be used.*the server refuses EHLO box.*: 550 5.7.1 Helo command rejected: need "
                    "fully-qualified hostname; see HostName=")
    assert "see HostName=" in relay.postern("status")


# ---- certificates ----


@pytest.mark.parametrize("flaw, advice", [("other_authority", "TrustFile="), ("wrong_name", "is Host= right"),
                                          ("expired", "renew")])
def test_the_advice_fits_the_fault_of_a_certificate(make_relay, make_receiver, certificates, flaw, advice):
    certificate = certificates.server if flaw == "other_authority" else getattr(certificates, flaw)
    authority = certificates.other_authority if flaw == "other_authority" else certificates.authority
    receiver = make_receiver(tls="starttls", certificate=certificate)
    relay = make_relay(receiver, {"Smarthost": {"Host": "localhost", "TLS": "starttls", "TrustFile": authority[0]}})
    relay.send()
    told = relay.wait_line("smarthost default .* cannot be used").string
    assert advice in told and ("TrustFile=" in told) == (advice == "TrustFile=")
    told = " ".join(relay.postern("check", status=1).stdout.split())  # it wraps lines
    assert advice in told and ("TrustFile=" in told) == (advice == "TrustFile=")


# ---- floods ----

# More than sockets hold on both sides; a moment's worth for a flood.
FLOOD_BYTES = 64 * 1024 * 1024

FLOODS = {"replies": (b"220 ready\r\n", b"250 ok\r\n"), "one reply": (b"", b"220-and more\r\n"), "a line": (b"", b"x" * 70),
          "after 421": (b"421 go away\r\n", b"421 go away\r\n"), "a refusal": (b"554 no\r\n", b"554 no\r\n")}


class Flooder:
    """A server that says `first` to who connects, and then the other thing for as long as it is listened to."""

    def __init__(self, first, again, context=None):
        self.socket = reserve()
        self.socket.listen()
        self.port = self.socket.getsockname()[1]
        self.said = (first, again * (65536 // len(again)))
        self.context = context
        self.sent = None  # bytes, once it was cut off
        self.ended = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        client, _ = self.socket.accept()
        self.socket.close()
        client.settimeout(PATIENCE_SECONDS)
        sent = 0
        try:
            if self.context:
                client = self.context.wrap_socket(client, server_side=True)
            client.sendall(self.said[0])
            while sent < FLOOD_BYTES:
                client.sendall(self.said[1])
                sent += len(self.said[1])
        except OSError:
            pass
        self.sent = sent
        self.ended.set()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("kind", FLOODS)
def test_a_server_that_floods_is_cut_off(make_relay, make_receiver, certificates, kind, tls):
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificates.server)
    flooder = Flooder(*FLOODS[kind], context)
    receiver = make_receiver()
    relay = make_relay(receiver, start=False)
    text = relay.configuration_file.read_text(encoding="utf-8")
    relay.configure(text + f"[Smarthost flooder]\nHost=127.0.0.1\nPort={flooder.port}\nTLS={'implicit' if tls else 'none'}\n"
                    "Verify=no\n[Route flood]\nRecipients=flood.example\nSmarthosts=flooder\n")
    relay.start()
    relay.send(recipients="b@flood.example")
    assert flooder.ended.wait(PATIENCE_SECONDS)
    assert flooder.sent < FLOOD_BYTES / 2
    relay.wait_line("smarthost flooder .* cannot be used")
    relay.send()
    receiver.wait_messages(1)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_client_that_floods_is_cut_off(make_relay, receiver, certificates, tls):
    certificate, key = certificates.server
    relay = make_relay(receiver, {"Server": {"TLSCertificate": certificate, "TLSKey": key}})
    with relay.raw() as session:
        if tls:
            session.ask("EHLO client.example.org")
            assert session.ask("STARTTLS").startswith("220")
            session.socket = ssl.create_default_context(cafile=certificates.authority[0]).wrap_socket(
                session.socket, server_hostname="localhost")
        sent = 0
        with pytest.raises(OSError):
            while sent < FLOOD_BYTES:
                session.send(b"NONSENSE\r\n" * 6000)
                sent += 60000
        assert sent < FLOOD_BYTES / 2
    relay.wait_line("421 4.7.0 Too many errors")
    relay.send()
    receiver.wait_messages(1)
