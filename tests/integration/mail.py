# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages for the tests, and the reading of what came."""

import base64
import email
import email.policy
import quopri


def text(subject="test", body="hello\n", **fields):
    """A small message with CRLF line ends, as text; From_ or Message_ID stand for fields with a dash."""
    lines = [f"{name.strip('_').replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"Subject: {subject}", *lines, "", *body.split("\n")])


def parse(received):
    """A message that a receiver got, read by Python's email package; it must be without defects."""
    message = email.message_from_bytes(received.content, policy=email.policy.SMTP)
    assert not message.defects, message.defects
    return message


def subjects(messages):
    return sorted(parse(m)["Subject"] for m in messages)


class Notice:
    """A delivery status notification (RFC 3464), taken apart and checked for its form."""

    def __init__(self, received):
        assert received.sender == "", f"a notice must have the null sender, not {received.sender}"
        self.message = parse(received)
        assert self.message.get_content_type() == "multipart/report"
        assert self.message.get_param("report-type") == "delivery-status"
        assert self.message["Auto-Submitted"].startswith("auto-replied")
        parts = list(self.message.iter_parts())
        assert 2 <= len(parts) <= 3, [part.get_content_type() for part in parts]
        assert parts[0].get_content_type() == "text/plain"
        assert parts[1].get_content_type() == "message/delivery-status"
        self.text = parts[0].get_content()
        self.report, *self.recipients = parts[1].get_payload()
        self.returned_type = parts[2].get_content_type() if len(parts) > 2 else None
        self.returned = None
        if self.returned_type == "message/rfc822":
            self.returned = parts[2].get_payload(0)
        elif self.returned_type == "message/global":
            # The package takes a message/global apart before it undoes its encoding (RFC 6532 3.7 lets it have one).
            decode = {"quoted-printable": quopri.decodestring, "base64": base64.b64decode}.get(
                parts[2]["Content-Transfer-Encoding"], bytes)
            encoded = received.content[received.content.index(b"message/global"):].split(b"\r\n\r\n", 1)[1]
            encoded = encoded.rsplit(b"\r\n--" + self.message.get_boundary().encode(), 1)[0]
            self.returned = email.message_from_bytes(decode(encoded), policy=email.policy.SMTP)
        elif self.returned_type == "text/rfc822-headers":
            self.returned = email.message_from_string(parts[2].get_content(), policy=email.policy.SMTP)

    def recipient(self, address):
        """The fields about one recipient."""
        for fields in self.recipients:
            if fields["Final-Recipient"].split(";")[1].strip() == address:
                return fields
        raise AssertionError(f"the notice does not tell of {address}: {[str(r) for r in self.recipients]}")
