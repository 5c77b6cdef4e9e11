# SPDX-License-Identifier: GPL-3.0-or-later
"""Every event is in the journal with its fields, and the catalog explains it."""

import re

import pytest

QUEUED = "09b177d01fd8434681db143b4851c9f0"
DELIVERED = "0a09ebc661dc476cb2d43b0857f926d1"
DEFERRED = "0dd8841e478a476a96098332001a8918"
BOUNCED = "0ecbc2a486304db688d52d082b271197"


def test_a_delivered_message_leaves_all_its_fields(gate, receiver):
    gate.send_to(receiver)
    gate.sendmail("you@example.net", user="alice")
    receiver.wait_messages(1)
    queued = gate.wait(MESSAGE_ID=QUEUED)
    delivered = gate.wait(MESSAGE_ID=DELIVERED)
    assert queued["POSTERN_SENDER"] == "alice@gate.example.org"
    assert queued["POSTERN_SUBMITTER_UID"] == "1001"
    assert int(queued["POSTERN_SIZE"]) > 20
    assert delivered["POSTERN_QUEUE_ID"] == queued["POSTERN_QUEUE_ID"]
    assert delivered["POSTERN_RECIPIENT"] == "you@example.net"
    assert delivered["POSTERN_STATUS"] == "2.0.0"
    assert delivered["POSTERN_REPLY"].startswith("250 2.0.0 ok")
    assert str(receiver.port) in delivered["POSTERN_REMOTE"]
    assert int(delivered["POSTERN_DELAY_USEC"]) > 0
    for entry in (queued, delivered):
        assert entry["_COMM"] == "posternd" and entry["_TRANSPORT"] == "journal"
        assert entry["SYSLOG_IDENTIFIER"] == "posternd"
    story = gate.machine.run("journalctl", "--no-pager", "-o", "cat", f"POSTERN_QUEUE_ID={queued['POSTERN_QUEUE_ID']}").stdout
    assert "queued mail" in story and "delivered to" in story


def test_priorities_tell_trouble_from_events(gate, receiver):
    gate.send_to(receiver)
    receiver.on("RCPT", "450 4.2.0 come back later", times=1)
    gate.sendmail("slow@example.net")
    assert gate.wait(MESSAGE_ID=DEFERRED)["POSTERN_STATUS"] == "4.2.0"
    receiver.forgive()
    receiver.on("RCPT", "550 5.1.1 no such user", match="nobody@")
    gate.sendmail("nobody@example.net")
    bounced = gate.wait(MESSAGE_ID=BOUNCED, POSTERN_RECIPIENT="nobody@example.net")
    assert bounced["POSTERN_REPLY"] == "550 5.1.1 no such user"
    assert int(bounced["PRIORITY"]) < int(gate.find(MESSAGE_ID=QUEUED)[0]["PRIORITY"])


def test_what_a_stranger_says_stays_in_its_field(gate, receiver):
    gate.send_to(receiver)
    receiver.on("RCPT", "550 5.1.1 no POSTERN_QUEUE_ID=forged MESSAGE_ID=forged")
    gate.sendmail("you@example.net")
    bounced = gate.wait(MESSAGE_ID=BOUNCED, POSTERN_RECIPIENT="you@example.net")
    assert bounced["POSTERN_QUEUE_ID"] != "forged" and "forged" in bounced["POSTERN_REPLY"]


@pytest.mark.parametrize("message_id", [QUEUED, DELIVERED])
def test_journalctl_explains(gate, receiver, message_id):
    gate.send_to(receiver)
    gate.sendmail("you@example.net")
    entry = gate.wait(MESSAGE_ID=message_id)
    explained = gate.machine.run("journalctl", "--no-pager", "-x", f"MESSAGE_ID={message_id}",
                                 f"POSTERN_QUEUE_ID={entry['POSTERN_QUEUE_ID']}").stdout
    assert "Defined-By: Postern" in explained and entry["POSTERN_QUEUE_ID"] in explained


def test_each_event_of_the_relay_is_in_the_catalog(gate):
    gate.postern("status")
    gate.machine.run("systemctl", "restart", "postern")
    gate.wait("listening for smtp", count=4)
    known = set(re.findall(r"^([0-9a-f]{32}) Postern:", gate.machine.run("journalctl", "--list-catalog").stdout, re.M))
    used = {entry["MESSAGE_ID"] for entry in gate.find() if "MESSAGE_ID" in entry and entry.get("_COMM") == "posternd"}
    assert used and used <= known
