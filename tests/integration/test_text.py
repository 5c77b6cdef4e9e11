# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that an editor of another system made: a byte order mark, CRLF, UTF-16."""

import json
import os
import subprocess

import pytest

from gi.repository import Gio, GLib

import mail
from relay import POSTERND, environment

MARK = b"\xef\xbb\xbf"
MESSAGE = b"From: me@example.org\r\nTo: you@example.net\r\nSubject: marked\r\n\r\n" + MARK + b"hello\r\n"
WIDE = "Subject: wide".encode("utf-16")


def by_sendmail(relay, message):
    done = relay.sendmail("you@example.net", message=message, status=None)
    return done.returncode == 0, done.stderr


def by_header(relay, message):
    done = relay.sendmail("-t", message=message, status=None)
    return done.returncode == 0, done.stderr


def by_smtp(relay, message):
    with relay.smtp() as session:
        session.helo("client.example.org")
        session.mail("me@example.org")
        session.rcpt("you@example.net")
        code, text = session.data(message)
        return code == 250, f"{code} {text.decode()}"


def by_chunks(relay, message):
    """A byte at a time, so that nothing of it comes together."""
    with relay.raw() as session:
        session.ask("EHLO client.example.org")
        session.ask("MAIL FROM:<me@example.org>")
        session.ask("RCPT TO:<you@example.net>")
        for byte in message[:8]:
            session.send(b"BDAT 1\r\n" + bytes([byte]))
            assert session.reply().startswith("250")
        session.send(f"BDAT {len(message) - 8} LAST\r\n".encode() + message[8:])
        reply = session.reply()
        return reply.startswith("250"), reply


def by_bus(relay, message):
    connection = Gio.DBusConnection.new_for_address_sync(
        relay.bus, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
    path = relay.folder / "message"
    path.write_bytes(message)
    with open(path, "rb") as file:
        try:
            connection.call_with_unix_fd_list_sync(
                "org.postern.Relay1", "/org/postern/Relay1", "org.postern.Relay1.Manager", "SubmitMessage",
                GLib.Variant("(hsasa{sv})", (0, "me@example.org", ["you@example.net"], {})), None,
                Gio.DBusCallFlags.NONE, -1, Gio.UnixFDList.new_from_array([os.dup(file.fileno())]))
        except GLib.Error as error:
            return False, error.message
    return True, ""


DOORS = [by_sendmail, by_header, by_smtp, by_bus]


@pytest.mark.parametrize("send", [*DOORS, by_chunks])
def test_a_mark_in_front_of_a_message_is_no_part_of_it(relay, receiver, send):
    taken, told = send(relay, MARK + MESSAGE)
    assert taken, told
    (got,) = receiver.wait_messages(1)
    assert mail.subjects([got]) == ["marked"]
    header, _, body = got.content.partition(b"\r\n\r\n")
    assert MARK not in header and body == MARK + b"hello\r\n"
    assert got.recipients == ["you@example.net"]


@pytest.mark.parametrize("send", DOORS)
def test_a_message_in_another_encoding_is_refused_by_its_name(relay, receiver, send):
    taken, told = send(relay, WIDE)
    assert not taken and "UTF-16" in told and "save it as UTF-8" in told
    assert relay.queue() == []


def marked(path, text):
    path.write_bytes(MARK + text.replace("\n", "\r\n").encode())


def wide(path, text):
    path.write_bytes(text.encode("utf-16"))


def test_every_file_of_a_configuration_may_come_from_another_system(make_relay, make_receiver, tmp_path):
    receiver = make_receiver(users={"me": "sesame"})
    relay = make_relay(receiver, start=False)
    for name in ("aliases", "included", "senders", "secret"):
        (tmp_path / name).touch(mode=0o600)
    marked(tmp_path / "aliases", f"ops: one@example.net\nteam: :include:{tmp_path}/included\n")
    marked(tmp_path / "included", "two@example.net\nthree@example.net\n")
    marked(tmp_path / "senders", "root me@example.org\n")
    marked(tmp_path / "secret", "sesame\n")
    text = relay.configuration_file.read_text(encoding="utf-8").replace("File=none", f"File={tmp_path}/aliases")
    marked(relay.configuration_file, text + f"[Rewrite]\nSenderTable={tmp_path}/senders\n")
    folder = relay.folder / "postern.conf.d"
    folder.mkdir()
    marked(folder / "10.conf", f"[Smarthost]\nUser=me\nPasswordFile={tmp_path}/secret\nAuthWithoutTLS=yes\n")
    relay.start()
    assert json.loads(relay.postern("status", "--json"))["configuration"]["problems"] == []
    relay.sendmail("ops", "team")
    (got,) = receiver.wait_messages(1)
    assert sorted(got.recipients) == ["one@example.net", "three@example.net", "two@example.net"]
    assert got.user == "me"


@pytest.mark.parametrize("name", ["postern.conf", "drop-in", "senders", "secret"])
def test_a_file_in_another_encoding_is_named(make_relay, receiver, tmp_path, name):
    relay = make_relay(receiver, start=False)
    text = relay.configuration_file.read_text(encoding="utf-8")
    folder = relay.folder / "postern.conf.d"
    folder.mkdir()
    places = {"postern.conf": relay.configuration_file, "drop-in": folder / "10.conf", "senders": tmp_path / "senders",
              "secret": tmp_path / "secret"}
    contents = {"postern.conf": text + f"[Rewrite]\nSenderTable={tmp_path}/senders\n", "senders": "root me@example.org\n",
                "drop-in": f"[Smarthost]\nUser=me\nPasswordFile={tmp_path}/secret\n", "secret": "sesame\n"}
    for file, path in places.items():
        (wide if file == name else marked)(path, contents[file])
    relay.start()
    (problem,) = [line for line in json.loads(relay.postern("status", "--json"))["configuration"]["problems"]
                  if "UTF-16" in line]
    assert ("PasswordFile=" if name == "secret" else str(places[name])) in problem and "save it as UTF-8" in problem


def test_an_alias_file_in_another_encoding_is_named(tmp_path):
    path = tmp_path / "aliases"
    wide(path, "ops: one@example.net\n")
    done = subprocess.run([POSTERND, "--check-aliases", f"--aliases={path}"], capture_output=True, text=True,
                          env=environment(), check=False)
    assert done.returncode != 0 and "UTF-16" in done.stdout
