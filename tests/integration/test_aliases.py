# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail to local recipients ends at an alias or at the administrator, whichever way it came in."""

import pytest

import mail

WAYS = ("sendmail", "local", "tcp")


def hand_over(relay, way, recipient, message="Subject: x\r\n\r\nhello\r\n"):
    if way == "sendmail":
        relay.sendmail(recipient, message=message)
    elif way == "local":
        with relay.local_smtp() as session:
            session.sendmail("me@example.org", recipient, message)
    else:
        relay.send("me@example.org", recipient, message)


@pytest.fixture
def aliases(tmp_path):
    return tmp_path / "aliases"


@pytest.fixture
def make_aliased(make_relay, receiver, aliases):
    def make(text, **keys):
        aliases.write_text(text)
        return make_relay(receiver, {"Aliases": {"File": aliases}, "Relay": keys})
    return make


@pytest.mark.parametrize("way", WAYS)
def test_aliases_count_whichever_way_mail_comes(make_aliased, receiver, way):
    relay = make_aliased("root: jane@example.net, pi\npi: joe@example.net\n")
    hand_over(relay, way, "root")
    hand_over(relay, way, "root@localhost")
    hand_over(relay, way, "root@relay.example.org")
    for got in receiver.wait_messages(3):
        assert got.recipients == ["jane@example.net", "joe@example.net"]


def test_an_alias_may_lead_to_a_short_name(make_aliased, receiver):
    relay = make_aliased("root: jane@host, pi@own\npi: joe@other\n", ParentDomain="lab.example.org",
                         LocalDomains="own.lab.example.org", AdminAddress="admin@host")
    hand_over(relay, "sendmail", "root@own")
    hand_over(relay, "sendmail", "nobody")
    assert sorted(got.recipients for got in receiver.wait_messages(2)) == [
        ["admin@host.lab.example.org"], ["jane@host.lab.example.org", "joe@other.lab.example.org"]]


def test_header_is_as_the_sender_wrote_it(make_aliased, receiver):
    relay = make_aliased("root: jane@example.net\n")
    relay.sendmail("-t", message="To: root (the admin), x@localhost\nCc: y@relay.example.org\n\nhello\n")
    content = receiver.wait_messages(1)[0].content
    assert b"\r\nTo: root@example.org (the admin), x@example.org\r\nCc: y@relay.example.org\r\n" in content


def test_change_counts_for_the_next_message_and_a_bad_one_does_not(make_aliased, receiver, aliases):
    relay = make_aliased("root: one@example.net\n")
    relay.sendmail("root")
    aliases.write_text("root: two@example.net\n")
    relay.sendmail("root")
    aliases.write_text("root: three@example.net\nand half a li")
    relay.sendmail("root")
    assert [m.recipients for m in receiver.wait_messages(3)] == [["one@example.net"], ["two@example.net"],
                                                               ["two@example.net"]]
    relay.wait_line(r"aliases:2: “and half a li”")
    relay.wait_line(r"has faults, so the aliases that were read before stay in force")
    relay.reload()
    relay.sendmail("root")
    assert receiver.wait_messages(4)[3].recipients == ["two@example.net"]


def test_reload_takes_another_file(make_aliased, receiver, tmp_path):
    relay = make_aliased("root: one@example.net\n")
    other = tmp_path / "other"
    other.write_text("root: other@example.net\n")
    relay.configure(relay.configuration_file.read_text().replace("/aliases\n", "/other\n"))
    relay.reload()
    relay.sendmail("root")
    assert receiver.wait_messages(1)[0].recipients == ["other@example.net"]


def test_refused_targets_are_told_and_mail_goes_to_the_administrator(make_aliased, receiver):
    relay = make_aliased("robot: \"|/usr/bin/robot --all\"\nnobody: /var/mail/nobody\n", AdminAddress="admin@example.net")
    relay.wait_line(r"aliases:1: “\|/usr/bin/robot --all” is left out: mail is not piped into commands")
    relay.wait_line(r"aliases:2: “/var/mail/nobody” is left out: mail is not written to files")
    relay.sendmail("robot", "nobody")
    assert receiver.wait_messages(1)[0].recipients == ["admin@example.net"]


def test_an_alias_to_dev_null_throws_mail_away(make_aliased, receiver):
    relay = make_aliased("noise: /dev/null\nboth: noise, you@example.net\n", AdminAddress="admin@example.net")
    relay.sendmail("noise", message="Subject: away\n\nhello\n")
    relay.wait_line("mail for </dev/null> was not sent.*thrown away by an alias to /dev/null")
    relay.wait_empty()
    relay.sendmail("both", message="Subject: kept\n\nhello\n")
    (got,) = receiver.wait_messages(1)
    assert mail.subjects([got]) == ["kept"] and got.recipients == ["you@example.net"]
    relay.wait_empty()
    relay.sendmail("/dev/null", message="Subject: bare\n\nhello\n")
    assert receiver.wait_messages(2)[1].recipients == ["admin@example.net"]


def test_many_aliases_reach_many(make_aliased, receiver, tmp_path):
    (tmp_path / "everybody").write_text("".join(f"user{n}@example.net\n" for n in range(2000)))
    relay = make_aliased(f"all: :include:{tmp_path}/everybody\n")
    relay.sendmail("all")
    receiver.wait_for(lambda r: sum(len(m.recipients) for m in r.messages) == 2000)


def test_sender_is_told_of_the_recipient_that_the_sender_knows(make_aliased, receiver):
    receiver.on("RCPT", "550 5.1.1 no such user", match="jane@")
    relay = make_aliased("root: jane@example.net\n")
    relay.sendmail("-f", "me@example.org", "root")
    fields = mail.Notice(receiver.wait_messages(1)[0]).recipient("jane@example.net")
    assert fields["Original-Recipient"].split(";")[1].strip() == "root@example.org"


def test_notice_to_a_local_sender_goes_where_mail_to_the_sender_goes(make_aliased, receiver):
    receiver.on("RCPT", "550 5.1.1 no such user", match="gone@")
    relay = make_aliased("pi: jane@example.net\n", AdminAddress="admin@example.net", LocalDomains="pi.lan")
    relay.sendmail("-f", "pi@pi.lan", "gone@example.net")
    relay.sendmail("-f", "backup@relay.example.org", "gone@example.net")
    relay.sendmail("-f", "joe@elsewhere.example", "gone@example.net")
    notices = receiver.wait_messages(3)
    assert sorted((n.sender, *n.recipients) for n in notices) == [
        ("", "admin@example.net"), ("", "jane@example.net"), ("", "joe@elsewhere.example")]
