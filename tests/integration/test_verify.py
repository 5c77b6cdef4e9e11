# SPDX-License-Identifier: GPL-3.0-or-later
"""A store whose disk damaged it: postern verify and posternd --verify name what is lost, and --salvage saves the rest."""

import json
import os
import subprocess

import pytest

import mail
from busclient import SystemBus
from doubles import Polkit
from receiver import PATIENCE_SECONDS
from relay import POSTERN, POSTERND, environment, for_everybody

DAMAGED = 65  # EX_DATAERR
BLOCK_BYTES = 4096


def offline(*arguments):
    """Runs posternd without a relay: (exit status, what it printed)."""
    result = subprocess.run([str(POSTERND), *map(str, arguments)], capture_output=True, text=True, env=environment())
    return result.returncode, result.stdout + result.stderr


@pytest.fixture
def kept(make_relay):
    """A relay that keeps twelve messages, the first half of them sealed; and their bodies by id."""
    relay = make_relay()
    bodies = [f"body {number} " + "x" * 3000 for number in range(12)]
    for body in bodies[:6]:
        relay.send(message=mail.text("kept", body=body + "\n"))
    relay.restart()
    for body in bodies[6:]:
        relay.send(message=mail.text("kept", body=body + "\n"))
    ids = [message["id"] for message in relay.queue()]
    relay.bodies = dict(zip(ids, bodies))
    return relay


def files(relay, kind):
    return sorted((relay.state / "queue").glob(f"*.{kind}"))


def damage(path, text):
    """Changes one byte in the midst of the text."""
    content = bytearray(path.read_bytes())
    content[content.index(text.encode()) + len(text) // 2] ^= 1
    path.write_bytes(content)


def lose_block(path, block):
    content = bytearray(path.read_bytes())
    content[block * BLOCK_BYTES:(block + 1) * BLOCK_BYTES] = bytes(BLOCK_BYTES)
    path.write_bytes(content)


def content(relay, id):
    return relay.postern("show", "--content", id)


def test_a_whole_queue_is_told_as_such(kept):
    assert "12 messages, all whole" in kept.postern("verify")
    report = json.loads(kept.postern("verify", "--json"))
    assert report["messages"] == 12 and report["damaged"] == 0 and report["findings"] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("may_manage, status", [("no", 1), ("yes", 0)])
def test_only_who_may_manage_the_relay_is_told(cleanup, make_relay, may_manage, status):
    """It reads everybody's mail, if not aloud, and keeps the disk busy."""
    system = cleanup.enter_context(SystemBus())
    polkit = cleanup.enter_context(Polkit(system.address, inspect="yes", manage=may_manage))
    make_relay(bus="system", variables=system.variables).send()
    result = subprocess.run([for_everybody(POSTERN), "--bus=system", "verify"], user="nobody", group="nogroup",
                            extra_groups=[], env=environment(**system.variables, HOME="/"), stdin=subprocess.DEVNULL,
                            text=True, capture_output=True, check=False, timeout=PATIENCE_SECONDS)
    assert [action for action, _ in polkit.asked] == ["manage"]
    assert bool(result.returncode) == bool(status), result
    assert ("1 message, all whole" in result.stdout) == (status == 0), result
    assert ("not authorized" in result.stderr) == (status == 1), result


def test_damage_is_named_while_the_relay_runs(kept):
    id, body = list(kept.bodies.items())[2]
    path = files(kept, "gdbm")[0]
    damage(path, body)
    told = kept.postern("verify", status=1)
    assert f"message {id}: {path}: " in told.stdout and "12 messages, 1 damaged" in told.stdout
    [finding] = [finding for finding in json.loads(kept.postern("verify", "--json", status=1).stdout)["findings"] if finding["id"]]
    assert finding["id"] == id and finding["file"] == str(path)


def test_without_a_relay_the_daemon_does_it(kept):
    state = f"--state-directory={kept.state}"
    status, told = offline("--verify", state)
    assert status == 1 and f"in use by process {kept.pid}" in told

    kept.kill9()
    status, told = offline("--verify", state)
    assert status == 0 and "12 messages, 0 of them damaged" in told

    id, body = list(kept.bodies.items())[3]
    damage(files(kept, "gdbm")[0], body)
    before = {path: path.read_bytes() for path in (kept.state / "queue").iterdir() if path.name != "lock"}
    status, told = offline("--verify", state)
    assert status == DAMAGED and f"message {id}: " in told and "1 of them damaged" in told
    assert before == {path: path.read_bytes() for path in before}


def test_what_is_left_of_a_dead_disk_is_saved(kept, make_relay):
    kept.kill9()
    id, body = list(kept.bodies.items())[4]
    damage(files(kept, "gdbm")[0], body)
    lose_block(files(kept, "gdbm")[0], 0)
    lose_block(files(kept, "journal")[-1], 0)
    new = kept.folder / "saved"
    status, told = offline(f"--salvage={new}", f"--state-directory={kept.state}")
    assert status == DAMAGED, told
    assert f"message {id}: " in told and "12 messages, 1 of them damaged" in told

    # Nothing is written over.
    status, told = offline(f"--salvage={new}", f"--state-directory={kept.state}")
    assert status == 1 and "not empty" in told

    saved = make_relay(state=new)
    for one, body in kept.bodies.items():
        if one != id:
            assert body in content(saved, one)
    told = saved.postern("verify", status=1)
    assert f"message {id}: " in told.stdout


def test_a_journal_of_which_nothing_can_be_read_is_told(kept, make_relay):
    """Its messages are nowhere else: no one knows how many there were, and the rest is saved."""
    kept.kill9()
    journal = files(kept, "journal")[-1]
    lose_block(journal, 0)
    lose_block(journal, 1)
    status, told = offline("--verify", f"--state-directory={kept.state}")
    assert status == DAMAGED and str(journal) in told
    status, told = offline(f"--salvage={kept.folder / 'saved'}", f"--state-directory={kept.state}")
    assert status == DAMAGED, told
    assert f"{journal}: the journal's header is damaged" in told and "6 messages, 0 of them damaged" in told
    saved = make_relay(state=kept.folder / "saved")
    assert [content(saved, id).rstrip().endswith(body) for id, body in list(kept.bodies.items())[:6]] == [True] * 6


def test_a_journal_that_was_being_begun_is_no_loss(kept):
    kept.kill9()
    (kept.state / "queue" / "0000000099.journal").write_bytes(bytes(2 * BLOCK_BYTES))
    status, told = offline(f"--salvage={kept.folder / 'saved'}", f"--state-directory={kept.state}")
    assert status == 0 and "12 messages, 0 of them damaged" in told


def test_a_lost_header_costs_no_message(kept):
    """The relay itself finds the messages of a file of which GDBM makes nothing any more."""
    kept.stop()
    for path in files(kept, "gdbm"):
        lose_block(path, 0)
    kept.start()
    for id, body in kept.bodies.items():
        assert body in content(kept, id)


def test_a_queue_that_is_not_there_is_told(kept):
    status, told = offline("--verify", f"--state-directory={kept.folder / 'nowhere'}")
    assert status == 1 and "nowhere" in told
