# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers say, and what becomes of it: replies of any length, refusals before a message, floods."""

import pytest

import mail

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
