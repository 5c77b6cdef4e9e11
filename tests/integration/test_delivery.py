# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail on its way out: to receivers that are good, slow, picky, broken, or not there."""

import base64
import threading
import time

import pytest

import mail
from receiver import DROP

PASSWORD = "corréct-hörse battery=staple"
QUICK = {"Queue": {"RetryFirst": "1s", "RetryLongest": "1s"}}


def secured(certificates, tls, **options):
    return {"tls": tls, "certificate": certificates.server, "require_tls": tls == "starttls",
            "users": {"relay-user": PASSWORD}, **options}


def login(certificates, **more):
    """What the configuration needs to reach a secured receiver."""
    return {"Smarthost": {"Host": "localhost", "TrustFile": certificates.authority[0], "User": "relay-user",
                          "PasswordCredential": "smarthost", **more}}


def waits_because(relay, pattern):
    """Sends a message; it must be accepted and then wait, for a reason that the log and the queue tell in words."""
    relay.send(message=mail.text("waiting"))
    relay.wait_line(pattern)
    queue = relay.postern("list")
    assert relay.queue(), "the message is gone"
    return queue


def assert_no_secret(relay, *receivers):
    """No password, in any of its forms, in anything that was logged or printed."""
    text = relay.log_text() + "".join(relay.outputs)
    forms = [PASSWORD, base64.b64encode(PASSWORD.encode()).decode(),
             base64.b64encode(b"\0relay-user\0" + PASSWORD.encode()).decode()]
    assert not [form for form in forms if form in text]


# ---- TLS and logins ----


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_verified_server_and_a_login(make_relay, make_receiver, certificates, tls, mechanism):
    receiver = make_receiver(**secured(certificates, tls, mechanisms=[mechanism]))
    relay = make_relay(receiver, login(certificates), credentials={"smarthost": PASSWORD + "\n"})
    relay.send()
    received = receiver.wait_messages(1)[0]
    assert received.tls
    assert received.user == "relay-user"
    relay.wait_line("delivered to <recipient@example.net>")
    assert_no_secret(relay)


def test_a_password_from_a_file(make_relay, make_receiver, certificates, tmp_path):
    (tmp_path / "password").write_text(PASSWORD, encoding="utf-8")
    (tmp_path / "password").chmod(0o600)
    receiver = make_receiver(**secured(certificates, "starttls"))
    relay = make_relay(receiver, login(certificates, PasswordCredential=None, PasswordFile=tmp_path / "password"))
    relay.send()
    assert receiver.wait_messages(1)[0].user == "relay-user"


def test_a_server_by_its_address(make_relay, make_receiver, certificates):
    receiver = make_receiver(**secured(certificates, "starttls"))
    relay = make_relay(receiver, login(certificates, Host="127.0.0.1"), credentials={"smarthost": PASSWORD})
    relay.send()
    assert receiver.wait_messages(1)[0].tls


@pytest.mark.parametrize("offered", [True, False])
def test_opportunistic_tls(make_relay, make_receiver, certificates, offered):
    receiver = make_receiver(tls="starttls" if offered else None, certificate=certificates.server)
    relay = make_relay(receiver, {"Smarthost": {"TLS": "opportunistic", "Host": "localhost",
                                                "TrustFile": certificates.authority[0]}})
    relay.send()
    assert receiver.wait_messages(1)[0].tls == offered


@pytest.mark.parametrize("fault, words", [("expired", "expired"), ("wrong_name", "localhost"),
                                          ("unknown_authority", "not trusted|trusted")])
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_that_is_no_good(make_relay, make_receiver, certificates, tls, fault, words):
    trusted = certificates.authority[0] if fault != "unknown_authority" else certificates.other_authority[0]
    served = certificates.server if fault == "unknown_authority" else getattr(certificates, fault)
    receiver = make_receiver(**secured(certificates, tls, certificate=served))
    relay = make_relay(receiver, login(certificates, TrustFile=trusted), credentials={"smarthost": PASSWORD})
    told = waits_because(relay, f"certificate.*({words})")
    assert "certificate" in told
    assert not receiver.messages
    assert not receiver.logins, "the password must not reach a server that is not trusted"


def test_a_certificate_that_need_not_be_good(make_relay, make_receiver, certificates):
    receiver = make_receiver(**secured(certificates, "starttls", certificate=certificates.expired))
    relay = make_relay(receiver, login(certificates, Verify="no"), credentials={"smarthost": PASSWORD})
    relay.send()
    assert receiver.wait_messages(1)[0].tls


def test_tls_that_is_not_offered(make_relay, make_receiver, certificates):
    receiver = make_receiver()
    relay = make_relay(receiver, {"Smarthost": {"TLS": "starttls"}})
    told = waits_because(relay, "TLS.*not offer|not offer.*TLS|no TLS")
    assert "TLS" in told
    assert not receiver.commands("MAIL")


def test_a_wrong_password(make_relay, make_receiver, certificates):
    receiver = make_receiver(**secured(certificates, "starttls"))
    relay = make_relay(receiver, login(certificates), credentials={"smarthost": "wrong " + PASSWORD})
    told = waits_because(relay, "535 5.7.8")
    assert "535" in told
    assert_no_secret(relay)


def test_no_login_without_tls(make_relay, make_receiver, certificates):
    receiver = make_receiver(users={"relay-user": PASSWORD})
    configuration = login(certificates, TLS="none")
    relay = make_relay(receiver, configuration, credentials={"smarthost": PASSWORD})
    waits_because(relay, "without TLS")
    assert not receiver.commands("AUTH")
    relay.configure((relay.configuration_file.read_text(encoding="utf-8") + "\nAuthWithoutTLS=yes\n"))
    relay.reload()
    relay.postern("retry", "--all")
    assert receiver.wait_messages(1)[0].user == "relay-user"


def test_no_mechanism_in_common(make_relay, make_receiver, certificates):
    receiver = make_receiver(**secured(certificates, "starttls", mechanisms=["LOGIN"]))
    relay = make_relay(receiver, login(certificates, Mechanisms="PLAIN"), credentials={"smarthost": PASSWORD})
    waits_because(relay, "PLAIN")
    assert not receiver.commands("AUTH")


# ---- temporary trouble ----


@pytest.mark.parametrize("moment", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "END"])
@pytest.mark.parametrize("reply", ["451 4.3.0 not now", "421 4.3.2 going down"], ids=["451", "421"])
def test_a_temporary_refusal_is_tried_again(make_relay, receiver, moment, reply):
    receiver.on(moment, reply, times=1)
    relay = make_relay(receiver, QUICK)
    relay.send()
    relay.wait_line(reply[4:])
    receiver.wait_messages(1)
    relay.wait_line("delivered to <recipient@example.net>")
    assert len(receiver.messages) == 1
    relay.postern("list")
    assert not relay.queue()


@pytest.mark.parametrize("moment", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "CONTENT", "END"])
def test_a_connection_that_breaks_is_tried_again(make_relay, receiver, moment):
    receiver.on(moment, DROP, times=1)
    relay = make_relay(receiver, QUICK)
    relay.send(recipients=["one@example.net", "two@example.net"])
    receiver.wait_messages(1)
    relay.wait_line("delivered to <two@example.net>")
    assert receiver.messages[0].recipients == ["one@example.net", "two@example.net"]
    assert len(receiver.messages) == 1
    assert not relay.queue()


def test_greylisting(make_relay, receiver):
    receiver.greylist()
    relay = make_relay(receiver, QUICK)
    relay.send(recipients=["one@example.net", "two@example.net"])
    relay.wait_line("greylisted", count=2)
    receiver.wait_for(lambda r: sorted(a for m in r.messages for a in m.recipients) ==
                      ["one@example.net", "two@example.net"])


def test_a_receiver_that_is_down_and_comes_back(make_relay, make_receiver):
    receiver = make_receiver(up=False)
    relay = make_relay(receiver, {"Queue": {"RetryFirst": "1h", "RetryLongest": "1h"}})
    told = waits_because(relay, "refused|Refused")
    assert f"127.0.0.1:{receiver.port}" in relay.log_text()
    assert "refused" in told.lower()
    for number in range(20):
        relay.send(message=mail.text(f"more {number}"))
    # Those that are not tried meanwhile hear the same reason, as the relay's own word.
    ours = rf"has to wait, deferred: 127.0.0.1:{receiver.port}: .*POSTERN_DECIDED_BY=relay"
    relay.wait_line(ours, count=21)
    receiver.start()
    relay.postern("retry", "--all")
    receiver.wait_messages(21)
    relay.wait_line("delivered to", count=21)
    assert not relay.queue()


def test_a_receiver_that_comes_back_is_found_without_help(make_relay, make_receiver):
    receiver = make_receiver(up=False)
    relay = make_relay(receiver, QUICK)
    for number in range(20):
        relay.send(message=mail.text(f"number {number}"))
    relay.wait_line("cannot be used")
    receiver.start()
    receiver.wait_messages(20)
    relay.wait_line("takes mail")


def test_a_smarthost_that_has_no_address(make_relay):
    relay = make_relay(configuration={"Smarthost": {"Host": "no-such-host.invalid", "TLS": "none"}})
    told = waits_because(relay, "no-such-host.invalid")
    assert "no-such-host.invalid" in told


def test_without_a_smarthost_mail_waits(make_relay, receiver):
    relay = make_relay()
    told = waits_because(relay, r"queued mail")
    assert "no smarthost is configured" in told
    relay.configure(f"[Smarthost]\nHost=127.0.0.1\nPort={receiver.port}\nTLS=none\n")
    relay.reload()
    assert mail.subjects(receiver.wait_messages(1)) == ["waiting"]


@pytest.mark.parametrize("key, moment", [("GreetingTimeout", "CONNECT"), ("CommandTimeout", "MAIL"),
                                         ("DataTimeout", "DATA"), ("EndTimeout", "END")])
def test_no_wait_is_for_ever(make_relay, receiver, key, moment):
    never = threading.Event()
    receiver.on(moment, never, times=1)
    relay = make_relay(receiver, {"Delivery": {key: "1s"}, **QUICK})
    relay.send()
    relay.wait_line("(?i)time|wait|no reply|answer")
    receiver.wait_messages(1)
    never.set()


# ---- refused for good ----


def test_some_of_many_recipients_are_refused(make_relay, receiver):
    receiver.on("RCPT", "550 5.1.1 no such user", match="nobody")
    receiver.on("RCPT", "450 4.2.1 mailbox busy", match="busy", times=2)
    relay = make_relay(receiver, QUICK)
    good = [f"user{i}@example.net" for i in range(40)]
    relay.send(recipients=good[:20] + ["nobody1@example.net", "busy1@example.net"] + good[20:] +
               ["nobody2@example.net", "busy2@example.net"])
    receiver.wait_for(lambda r: len(r.messages) >= 3)
    receiver.wait_for(lambda r: sum(len(m.recipients) for m in r.messages if m.sender) == 42)
    first = receiver.messages[0]
    assert sorted(first.recipients) == sorted(good)
    notice = mail.Notice(next(m for m in receiver.messages if m.sender == ""))
    assert {r["Final-Recipient"] for r in notice.recipients} == {"rfc822; nobody1@example.net",
                                                                 "rfc822; nobody2@example.net"}
    later = sorted(a for m in receiver.messages[1:] if m.sender for a in m.recipients)
    assert later == ["busy1@example.net", "busy2@example.net"]


def test_a_message_larger_than_the_receiver_takes_is_not_sent(make_relay, make_receiver):
    receiver = make_receiver(size_limit=20_000)
    relay = make_relay(receiver)
    relay.send(message=mail.text("large", body=("x" * 70 + "\n") * 1000))
    notice = mail.Notice(receiver.wait_messages(1)[0])
    assert notice.recipient("recipient@example.net")["Status"] in ("5.3.4", "5.2.3")
    assert not [line for line in receiver.commands("RCPT") if "recipient@example.net" in line]


def test_a_receiver_without_smtputf8_gets_nothing_that_needs_it(make_relay, make_receiver):
    receiver = make_receiver(extensions=["PIPELINING", "8BITMIME"])
    relay = make_relay(receiver)
    with relay.smtp() as session:
        session.ehlo()
        session.sendmail("sender@example.org", ["用户@example.net"], "Subject: x\r\n\r\nx\r\n", ["SMTPUTF8"])
    relay.wait_line("bounced.*SMTPUTF8")
    notice = receiver.wait_messages(1)[0]
    assert notice.sender == "" and notice.recipients == ["sender@example.org"]
    assert notice.content.isascii()
    assert not [line for line in receiver.commands() if "用户" in line]


# ---- the way it is spoken ----


def test_connections_are_reused(make_relay, receiver):
    relay = make_relay(receiver, {"Smarthost": {"MaxConnections": 3}})
    with relay.smtp() as session:
        for number in range(200):
            session.sendmail("a@example.org", "b@example.net", mail.text(f"number {number}"))
    assert len(set(mail.subjects(receiver.wait_messages(200)))) == 200
    assert len(receiver.connections) <= 3


def test_recipients_of_one_message_share_a_transaction(relay, receiver):
    relay.send(recipients=[f"user{i}@example.net" for i in range(30)])
    assert len(receiver.wait_messages(1)[0].recipients) == 30
    assert len(receiver.commands("MAIL")) == 1
    assert len(receiver.commands("DATA")) == 1


@pytest.mark.parametrize("missing", ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"])
def test_a_receiver_that_offers_less(make_relay, make_receiver, missing):
    offered = [name for name in ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES") if name != missing]
    receiver = make_receiver(extensions=offered)
    relay = make_relay(receiver)
    relay.send(recipients=["one@example.net", "two@example.net"])
    assert receiver.wait_messages(1)[0].recipients == ["one@example.net", "two@example.net"]


def test_a_receiver_that_speaks_no_esmtp(make_relay, receiver):
    receiver.on("EHLO", "502 5.5.1 not known")
    relay = make_relay(receiver)
    relay.send()
    receiver.wait_messages(1)
    assert receiver.commands("HELO") == ["HELO relay.example.org"]
    assert receiver.commands("MAIL") == ["MAIL FROM:<sender@example.org>"]


def test_chunking_where_it_is_offered(make_relay, make_receiver):
    receiver = make_receiver(extensions=["PIPELINING", "CHUNKING", "8BITMIME"])
    relay = make_relay(receiver)
    body = "\n".join(["."] + ["x" * 76] * 20_000)
    relay.send(message=mail.text("chunked", body=body + "\n"))
    received = receiver.wait_messages(1)[0]
    assert received.chunks > 1
    assert not receiver.commands("DATA")
    assert received.content.partition(b"\r\n\r\n")[2].decode() == body.replace("\n", "\r\n") + "\r\n"


def test_delivery_over_ipv6(make_relay, make_receiver):
    receiver = make_receiver(host="::1")
    relay = make_relay(receiver, {"Smarthost": {"Host": "::1"}}, smtp=("[::1]:0",))
    relay.send()
    receiver.wait_messages(1)


# ---- the next one, where one does not do ----


def test_the_second_smarthost_serves_while_the_first_is_down(make_relay, make_receiver):
    first, second = make_receiver(up=False), make_receiver()
    relay = make_relay([first, second], QUICK)
    relay.send(message=mail.text("one"))
    assert mail.subjects(second.wait_messages(1)) == ["one"]
    first.start()
    second.stop()
    relay.send(message=mail.text("two"))
    assert mail.subjects(first.wait_messages(1)) == ["two"]
    relay.wait_line("smarthost default .*takes mail")
    second.start()
    relay.send(message=mail.text("three"))
    assert mail.subjects(first.wait_messages(2)) == ["three", "two"]


def test_a_smarthost_that_hangs_does_not_hold_up_the_rest(make_relay, make_receiver):
    stuck = threading.Event()
    receiver = make_receiver()
    receiver.on("MAIL", stuck, match="stuck")
    relay = make_relay(receiver)
    relay.send(sender="stuck@example.org", message=mail.text("stuck"))
    receiver.wait_for(lambda r: [line for line in r.commands("MAIL") if "stuck" in line])
    for number in range(20):
        relay.send(message=mail.text(f"number {number:02}"))
    assert mail.subjects(receiver.wait_messages(20)) == [f"number {number:02}" for number in range(20)]
    stuck.set()
    assert "stuck" in mail.subjects(receiver.wait_messages(21))


def test_smtp_sink_takes_a_thousand_messages(make_relay, make_sink, figure):
    sink = make_sink()
    relay = make_relay(configuration={"Smarthost": {"Host": "127.0.0.1", "Port": sink.port, "TLS": "none"}})
    start = time.monotonic()
    with relay.smtp() as session:
        for number in range(1000):
            session.sendmail("a@example.org", "b@example.net", mail.text(f"number {number}", body="x" * 70 + "\n"))
    relay.wait_line("delivered to <b@example.net>", count=1000)
    figure(f"1000 messages in by one session of smtplib and out to smtp-sink in {time.monotonic() - start:.1f} s")
    assert not relay.queue()
