# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal as the answer: a message's story for whoever it concerns, events explained, a bad configuration told in a line."""

import json
import re


def send_and_wait(gate, recipient, user):
    """Sends a message; returns its id once it has left."""
    gate.sendmail(recipient, user=user)
    entry = gate.wait(f"delivered to <{recipient}>")
    return entry["POSTERN_QUEUE_ID"]


def test_users_hear_of_their_own_mail_without_root(gate, receiver):
    gate.send_to(receiver)
    own = send_and_wait(gate, "one@example.net", "alice")
    other = send_and_wait(gate, "two@example.net", "bob")

    # Neither may read the journal.
    assert "POSTERN" not in gate.machine.run("journalctl", "-o", "verbose", user="alice", check=False).stdout
    story = gate.postern("log", own, user="alice").stdout
    assert "queued mail of <alice@gate.example.org>" in story and "Recipients: 1 delivered" in story
    assert "Recipients: 1 delivered" in gate.postern("trace", "one@example.net", user="alice").stdout

    refused = gate.postern("log", other, user="alice", check=False)
    assert refused.returncode == 4 and "org.postern.relay1.inspect" in refused.stderr
    assert gate.postern("trace", "two@example.net", user="alice", check=False).returncode == 3
    assert other in gate.postern("log", own, other).stdout  # root reads for itself
    assert other in gate.postern("trace", "two@example.net", user="bob").stdout


def test_a_story_outlives_the_queue_and_the_relay(gate, receiver):
    gate.send_to(receiver)
    own = send_and_wait(gate, "gone@example.net", "alice")
    gate.machine.run("systemctl", "stop", "postern.service", "postern.socket")
    told = json.loads(gate.postern("log", "--json", own, user="alice").stdout)
    assert [event["event"] for event in told[0]["events"]] == ["queued", "delivered"]
    message_id = told[0]["events"][0]["message-id"]
    assert own in gate.postern("trace", message_id, user="alice").stdout
    assert gate.state == "inactive", "the relay was woken to tell of its past"


def test_the_reader_of_the_journal_has_no_network_and_no_queue(gate, receiver):
    gate.send_to(receiver)
    gate.postern("log", send_and_wait(gate, "a@example.net", "alice"), user="alice")
    pid = gate.machine.show("postern-journal.service", "MainPID")
    assert int(pid) > 0
    inside = gate.machine.run("nsenter", f"--target={pid}", "--net", "ip", "-o", "link").stdout
    assert re.findall(r"^\d+: (\w+)", inside, re.M) == ["lo"]
    inside = gate.machine.run("nsenter", f"--target={pid}", "--mount", "ls", "/var/lib/postern", check=False)
    assert inside.returncode != 0 or inside.stdout == ""
    status = gate.machine.run("cat", f"/proc/{pid}/status").stdout
    assert re.search(r"^CapEff:\s+0+$", status, re.M) and not re.search(r"^Uid:\s+0\b", status, re.M)


def test_an_event_is_explained(gate, receiver):
    gate.send_to(receiver)
    own = send_and_wait(gate, "explained@example.net", "alice")
    told = gate.machine.run("journalctl", "-x", "--no-pager", f"POSTERN_QUEUE_ID={own}").stdout
    assert "Mail was accepted" in told and f"postern log {own}" in told
    assert "took the message for explained@example.net" in told


def test_a_bad_configuration_is_told_in_a_line(gate):
    gate.configure("[Smarthost]\nHots=smtp.example.org\n")
    gate.machine.run("systemctl", "start", "postern.service")
    shown = gate.machine.run("systemctl", "status", "--no-pager", "postern.service", check=False).stdout
    (status,) = re.findall(r"^\s*Status: \"(.*)\"$", shown, re.M)
    assert "/etc/postern/postern.conf:2: [Smarthost] Hots" in status and "systemctl reload postern" in status
