// SPDX-License-Identifier: GPL-3.0-or-later
//
// Nodemailer's smtp-server as one of the tests' mail servers (mailservers.py says what they all do):
// smtp-server.js ADDRESS PORT MAILDIR RECIPIENTS-AT-MOST OCTETS-AT-MOST OCTETS-OF-A-VERBOSE-REPLY

"use strict";

const fs = require("fs");
const { SMTPServer } = require("smtp-server");

const [address, port, maildir, limit, size, verbose] = process.argv.slice(2);
let number = 0;

function refusal(code, text) {
    return Object.assign(new Error(text), { responseCode: code });
}

new SMTPServer({
    name: "nodemailer.example",
    size: Number(size),
    disabledCommands: ["AUTH", "STARTTLS"],
    hideSMTPUTF8: false,
    disableReverseLookup: true,

    onRcptTo(recipient, session, callback) {
        if (recipient.address.startsWith("nobody@")) {
            return callback(refusal(550, "no such user"));
        }
        if (recipient.address.startsWith("verbose@")) {
            return callback(refusal(550, "no such user " + "x".repeat(Number(verbose))));
        }
        if (session.envelope.rcptTo.length >= Number(limit)) {
            return callback(refusal(452, "too many recipients"));
        }
        return callback();
    },

    onData(stream, session, callback) {
        const chunks = [];
        stream.on("data", (chunk) => chunks.push(chunk));
        stream.on("end", () => {
            const content = Buffer.concat(chunks);
            if (stream.sizeExceeded) {
                return callback(refusal(552, "the message is too large"));
            }
            if (content.includes("FORBIDDEN")) {
                return callback(refusal(550, "what a word"));
            }
            const recipients = session.envelope.rcptTo.map((one) => one.address).join(", ");
            const name = String(++number).padStart(6, "0");
            const told = `Return-Path: <${session.envelope.mailFrom.address}>\r\nEnvelope-to: ${recipients}\r\n`;
            fs.writeFileSync(`${maildir}/tmp/${name}`, Buffer.concat([Buffer.from(told), content]));
            fs.renameSync(`${maildir}/tmp/${name}`, `${maildir}/new/${name}`);
            return callback(null, "kept");
        });
    },
}).listen(Number(port), address);
