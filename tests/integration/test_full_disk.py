# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is full: refused for the moment, nothing lost, and taken again when there is room."""

import shutil
import smtplib
import threading
import time

import pytest

import mail
from disks import Disk
from receiver import PATIENCE_SECONDS

MIB = 1024 * 1024
AGAIN_SECONDS = 0.1
BODY = ("x" * 70 + "\n") * 5000


@pytest.fixture
def small_disk(cleanup, tmp_path):
    return cleanup.enter_context(Disk(tmp_path / "disk", size=24 * MIB)).place


def fill(path, free=0):
    """Leaves no more free space than that on the file system of the path."""
    with open(path, "wb", buffering=0) as file:
        try:
            while shutil.disk_usage(path).free > free:
                file.write(b"x" * 65536)
        except OSError:
            pass


@pytest.fixture
def relay_on_a_small_disk(make_relay, make_receiver, small_disk):
    """make(reserve) makes a relay whose queue is on the small disk, and its receiver, which is down."""

    def make(reserve):
        receiver = make_receiver(up=False)
        relay = make_relay(receiver, {"Queue": {"ReserveSpace": reserve}}, state=small_disk)
        return relay, receiver

    return make


def refusal(relay, message, accepted=None):
    """Sends a message until it is refused; returns the reply. How often it was taken before is counted in accepted."""
    with relay.smtp() as session:
        for _ in range(1000):
            try:
                session.sendmail("a@example.org", "b@example.net", message)
                if accepted is not None:
                    accepted.append(message.splitlines()[0].removeprefix("Subject: "))
            except smtplib.SMTPResponseException as error:
                return f"{error.smtp_code} {error.smtp_error.decode()}"
    raise AssertionError("it was never refused")


def send_until_accepted(relay, message):
    """Sends a message as a client does that is told to come again: it does, until there is room."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return relay.send(message=message)
        except smtplib.SMTPResponseException as error:
            assert error.smtp_code == 452 and time.monotonic() < deadline, error
            time.sleep(AGAIN_SECONDS)


@pytest.mark.parametrize("reserve", ["4M", "0"], ids=["with-a-reserve", "to-the-last-byte"])
def test_a_full_disk_refuses_for_the_moment_and_loses_nothing(relay_on_a_small_disk, small_disk, reserve):
    relay, receiver = relay_on_a_small_disk(reserve)
    accepted = [f"number {number}" for number in range(10)]
    for subject in accepted:
        relay.send(message=mail.text(subject, body=BODY))
    fill(small_disk / "ballast")
    for _ in range(3):
        assert refusal(relay, mail.text("while full", body=BODY), accepted).startswith("452 4.3.1")
    assert len(relay.queue()) == len(accepted)
    (small_disk / "ballast").unlink()
    receiver.start()
    relay.postern("retry", "--all")
    assert mail.subjects(receiver.wait_messages(len(accepted))) == accepted
    send_until_accepted(relay, mail.text("after"))
    assert "after" in mail.subjects(receiver.wait_messages(len(accepted) + 1))


def test_a_restart_after_a_full_disk(relay_on_a_small_disk, small_disk):
    relay, receiver = relay_on_a_small_disk("0")
    accepted = ["before"]
    relay.send(message=mail.text("before"))
    fill(small_disk / "ballast")
    refusal(relay, mail.text("while full", body=("x" * 70 + "\n") * 1000), accepted)
    relay.kill9()
    (small_disk / "ballast").unlink()
    relay.start()
    receiver.start()
    relay.postern("retry", "--all")
    assert mail.subjects(receiver.wait_messages(len(accepted))) == accepted


def test_a_full_disk_shows(relay_on_a_small_disk, small_disk):
    relay, _ = relay_on_a_small_disk("8M")
    fill(small_disk / "ballast", free=4 * MIB)
    assert refusal(relay, mail.text("while full", body=BODY)).startswith("452 4.3.1")
    relay.wait_line("the queue's disk is in trouble")
    assert "free" in relay.postern("status")
    (small_disk / "ballast").unlink()
    relay.wait_line("the queue's disk works again")
    relay.send()


def test_sessions_that_do_not_say_how_much_will_come_leave_the_reserve(relay_on_a_small_disk, small_disk):
    """All of them at once: what they send would fill the disk several times."""
    relay, receiver = relay_on_a_small_disk("8M")
    sessions = [relay.raw() for _ in range(10)]
    content = (b"x" * 70 + b"\r\n") * 100_000
    for session in sessions:
        for command in ("EHLO me", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.net>"):
            session.ask(command)
        threading.Thread(target=session.send, args=(b"BDAT %d LAST\r\n" % len(content) + content,)).start()
    free = []
    replies = []
    for session in sessions:
        replies.append(session.reply()[:9])
        free.append(shutil.disk_usage(small_disk).free)
        session.close()
    accepted = replies.count("250 2.0.0")
    assert accepted + replies.count("452 4.3.1") == len(replies) and accepted <= 2

    # What is written at once, and what was said to be free a moment ago.
    assert min(free) > 6 * MIB
    receiver.start()
    relay.postern("retry", "--all")
    receiver.wait_messages(accepted)
    send_until_accepted(relay, mail.text("after"))


def test_a_disk_that_the_queue_filled_itself_has_room_again_once_it_is_empty(relay_on_a_small_disk):
    relay, receiver = relay_on_a_small_disk("8M")
    count = 0
    with relay.smtp() as session, pytest.raises(smtplib.SMTPResponseException):
        while True:
            session.sendmail("a@example.org", "b@example.net", mail.text(f"number {count:03}", body=BODY))
            count += 1
    receiver.start()
    relay.postern("retry", "--all")
    receiver.wait_messages(count)
    relay.wait_line("delivered to", count=count)
    send_until_accepted(relay, mail.text("after"))
