/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Whole sessions with the SMTP server, as a table: what the client sends, what it is answered, what the relay is told.
 *
 * Each is played with its bytes in one piece, byte by byte, and cut in two at every place, with the relay's answer to a
 * message given at once and given later. The outcome must always be the same.
 */

#include "dialogue.h"

#include <string.h>

typedef struct {
    const gchar *path;
    DialogueKind kind;
    const gchar *input;
    const gchar *replies; /* behind the greeting */
    const gchar *events;  /* NULL: any */
} Case;

#define EHLO "EHLO c\r\n"
#define MAIL "MAIL FROM:<a@x.org>\r\n"
#define RCPT "RCPT TO:<b@y.org>\r\n"
#define OPEN EHLO MAIL RCPT

#define OPENED   "250 250/2.1.0 250/2.1.5"
#define ENVELOPE "(mail <a@x.org>)(rcpt <b@y.org>)"

static const Case cases[] = {
    /* The usual session, and orders that RFC 5321 4.1.4 allows */
    {"one-message", DIALOGUE_TRUSTED, OPEN "DATA\r\nSubject: x\r\n\r\n..y\r\n.\r\nQUIT\r\n",
     OPENED " 354 250/2.6.0 221/2.0.0", ENVELOPE "begin [Subject: x\r\n\r\n.y\r\n] "},
    {"two-messages", DIALOGUE_TRUSTED, OPEN "DATA\r\nx\r\n.\r\n" MAIL RCPT "DATA\r\ny\r\n.\r\nQUIT\r\n",
     OPENED " 354 250/2.6.0 250/2.1.0 250/2.1.5 354 250/2.6.0 221/2.0.0",
     ENVELOPE "begin [x\r\n] " ENVELOPE "begin [y\r\n] "},
    {"helo-is-enough", DIALOGUE_TRUSTED, "HELO c\r\n" MAIL RCPT "DATA\r\nx\r\n.\r\n",
     "250 250/2.1.0 250/2.1.5 354 250/2.6.0", NULL},
    {"empty-message", DIALOGUE_TRUSTED, OPEN "DATA\r\n.\r\n", OPENED " 354 250/2.6.0", ENVELOPE "begin [] "},
    {"verbs-and-keywords-in-any-case", DIALOGUE_TRUSTED,
     "eHlO c\r\nmail from:<a@x.org> body=8bitmime\r\nRcpt To:<b@y.org>\r\ndata\r\n.\r\nquit\r\n",
     OPENED " 354 250/2.6.0 221/2.0.0", NULL},
    {"white-space-before-the-line-end", DIALOGUE_TRUSTED, "EHLO c \t\r\nNOOP \r\nRSET  \r\nQUIT\t\r\n",
     "250 250/2.0.0 250/2.0.0 221/2.0.0", NULL},
    {"space-before-the-path", DIALOGUE_TRUSTED, EHLO "MAIL FROM: <a@x.org>\r\nRCPT TO:  <b@y.org>\r\n", OPENED,
     ENVELOPE},
    {"commands-without-a-session", DIALOGUE_TRUSTED,
     "NOOP\r\nHELP\r\nVRFY x\r\nRSET\r\nNOOP anything at all\r\nQUIT\r\n",
     "250/2.0.0 214/2.0.0 252/2.0.0 250/2.0.0 250/2.0.0 221/2.0.0", ""},
    {"commands-amid-a-transaction", DIALOGUE_TRUSTED, OPEN "NOOP\r\nVRFY b\r\nHELP MAIL\r\nDATA\r\n.\r\n",
     OPENED " 250/2.0.0 252/2.0.0 214/2.0.0 354 250/2.6.0", NULL},
    {"rset-forgets-the-transaction", DIALOGUE_TRUSTED, OPEN "RSET\r\nDATA\r\n" MAIL,
     OPENED " 250/2.0.0 503/5.5.1 250/2.1.0", NULL},
    {"second-ehlo-forgets-the-transaction", DIALOGUE_TRUSTED, OPEN "EHLO d\r\nDATA\r\n" MAIL,
     OPENED " 250 503/5.5.1 250/2.1.0", NULL},
    {"helo-forgets-the-transaction", DIALOGUE_TRUSTED, OPEN "HELO d\r\nRCPT TO:<c@y.org>\r\n",
     OPENED " 250 503/5.5.1", NULL},
    {"same-recipient-twice-is-one", DIALOGUE_TRUSTED, EHLO MAIL RCPT RCPT RCPT RCPT "DATA\r\n.\r\n",
     OPENED " 250/2.1.5 250/2.1.5 250/2.1.5 354 250/2.6.0", NULL},
    {"nothing-follows-quit", DIALOGUE_TRUSTED, EHLO "QUIT\r\nNOOP\r\n" MAIL, "250 221/2.0.0", ""},

    /* Orders that it does not allow */
    {"mail-before-ehlo", DIALOGUE_TRUSTED, MAIL, "503/5.5.1", ""},
    {"rcpt-before-mail", DIALOGUE_TRUSTED, EHLO RCPT, "250 503/5.5.1", ""},
    {"data-before-mail", DIALOGUE_TRUSTED, EHLO "DATA\r\n", "250 503/5.5.1", ""},
    {"data-before-rcpt", DIALOGUE_TRUSTED, EHLO MAIL "DATA\r\n" RCPT "DATA\r\n.\r\n",
     "250 250/2.1.0 503/5.5.1 250/2.1.5 354 250/2.6.0", NULL},
    {"nested-mail", DIALOGUE_TRUSTED, OPEN MAIL, OPENED " 503/5.5.1", ENVELOPE},
    {"message-ends-the-transaction", DIALOGUE_TRUSTED, OPEN "DATA\r\n.\r\nDATA\r\n",
     OPENED " 354 250/2.6.0 503/5.5.1", NULL},
    {"data-after-bdat", DIALOGUE_TRUSTED, OPEN "BDAT 3\r\nx\r\nDATA\r\nBDAT 0 LAST\r\n",
     OPENED " 250/2.0.0 503/5.5.1 250/2.6.0", ENVELOPE "begin [x\r\n] "},
    {"rcpt-after-bdat", DIALOGUE_TRUSTED, OPEN "BDAT 3\r\nx\r\nRCPT TO:<c@y.org>\r\n", OPENED " 250/2.0.0 503/5.5.1",
     ENVELOPE "begin abort "},
    {"mail-after-bdat", DIALOGUE_TRUSTED, OPEN "BDAT 3\r\nx\r\n" MAIL, OPENED " 250/2.0.0 503/5.5.1", NULL},

    /* Commands that are none */
    {"unknown-command", DIALOGUE_TRUSTED, "FOO\r\n\r\n NOOP\r\nNOOPS\r\nNOO\r\n",
     "500/5.5.2 500/5.5.2 500/5.5.2 500/5.5.2 500/5.5.2", ""},
    {"auth-is-not-offered", DIALOGUE_TRUSTED, EHLO "AUTH PLAIN AGEAYg==\r\n", "250 500/5.5.2", ""},
    {"ehlo-needs-a-name", DIALOGUE_TRUSTED, "EHLO\r\nEHLO  \r\nHELO\r\n", "501/5.5.4 501/5.5.4 501/5.5.4", NULL},
    {"ehlo-takes-any-name", DIALOGUE_TRUSTED, "EHLO [127.0.0.1]\r\nEHLO my_host!\r\nHELO a b c\r\nHELO \xff\r\n",
     "250 250 250 250", NULL},
    {"refused-ehlo-changes-nothing", DIALOGUE_TRUSTED, OPEN "EHLO\r\nDATA\r\n.\r\n",
     OPENED " 501/5.5.4 354 250/2.6.0", NULL},
    {"commands-without-arguments", DIALOGUE_TRUSTED, OPEN "DATA x\r\nRSET x\r\nQUIT x\r\nDATA\r\n.\r\n",
     OPENED " 501/5.5.4 501/5.5.4 501/5.5.4 354 250/2.6.0", NULL},
    {"vrfy-needs-an-argument", DIALOGUE_TRUSTED, "VRFY\r\n", "501/5.5.4", NULL},
    {"expn-is-not-there", DIALOGUE_TRUSTED, "EXPN list\r\n", "502/5.5.1", NULL},
    {"mail-syntax", DIALOGUE_TRUSTED, EHLO "MAIL\r\nMAIL FROM\r\nMAIL FROM:\r\nMAIL TO:<a@x.org>\r\nMAIL a@x.org\r\n",
     "250 501/5.5.4 501/5.5.4 501/5.5.4 501/5.5.4 501/5.5.4", ""},
    {"rcpt-syntax", DIALOGUE_TRUSTED, EHLO MAIL "RCPT\r\nRCPT TO\r\nRCPT TO:b@y.org\r\nRCPT FROM:<b@y.org>\r\n",
     "250 250/2.1.0 501/5.5.4 501/5.5.4 501/5.5.4 501/5.5.4", NULL},
    {"parameters-need-a-space", DIALOGUE_TRUSTED, EHLO "MAIL FROM:<a@x.org>SIZE=3\r\n", "250 501/5.5.4", ""},
    {"http-ends-the-session", DIALOGUE_TRUSTED, "POST / HTTP/1.1\r\n" OPEN, "521/5.5.1",
     "{521/5.5.1 POST / HTTP/1.1}"},

    /* Paths */
    {"null-reverse-path", DIALOGUE_TRUSTED, EHLO "MAIL FROM:<>\r\n" RCPT, OPENED, "(mail <>)(rcpt <b@y.org>)"},
    {"null-forward-path", DIALOGUE_TRUSTED, EHLO MAIL "RCPT TO:<>\r\n", "250 250/2.1.0 501/5.1.3", NULL},
    {"postmaster-needs-no-domain", DIALOGUE_TRUSTED, EHLO MAIL "RCPT TO:<Postmaster>\r\n", OPENED,
     "(mail <a@x.org>)(rcpt <postmaster>)"},
    {"source-route-is-dropped", DIALOGUE_TRUSTED, EHLO MAIL "RCPT TO:<@h.org,@i.org:b@y.org>\r\n", OPENED, ENVELOPE},
    {"quoted-local-part", DIALOGUE_TRUSTED, EHLO "MAIL FROM:<\"a\"@x.org>\r\nRCPT TO:<\"b c> \"@y.org>\r\n", OPENED,
     "(mail <a@x.org>)(rcpt <\"b c> \"@y.org>)"},
    {"address-literal", DIALOGUE_TRUSTED, EHLO MAIL "RCPT TO:<b@[192.0.2.1]>\r\n", OPENED,
     "(mail <a@x.org>)(rcpt <b@[192.0.2.1]>)"},
    {"trusted-bare-addresses", DIALOGUE_TRUSTED, EHLO "MAIL FROM:<root>\r\nRCPT TO:<pi>\r\n", OPENED,
     "(mail <root>)(rcpt <pi>)"},
    {"local-bare-addresses", DIALOGUE_LOCAL, EHLO "MAIL FROM:<root>\r\nRCPT TO:<pi>\r\n", OPENED,
     "(mail <root>)(rcpt <pi>)"},
    {"bare-addresses-of-strangers", DIALOGUE_STRANGER, EHLO "MAIL FROM:<root>\r\n" MAIL "RCPT TO:<pi>\r\n",
     "250 553/5.1.7 250/2.1.0 553/5.1.3", "(mail <a@x.org>)"},
    {"no-address", DIALOGUE_TRUSTED,
     EHLO "MAIL FROM:<a@@x.org>\r\n" MAIL "RCPT TO:<b@y..org>\r\nRCPT TO:<b@y.org\r\n",
     "250 501/5.1.7 250/2.1.0 501/5.1.3 501/5.1.3", "(mail <a@x.org>)"},

    /* Parameters */
    {"all-parameters-of-mail", DIALOGUE_TRUSTED,
     EHLO "MAIL FROM:<a@x.org> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+20b\r\n", "250 250/2.1.0",
     "(mail <a@x.org> 1000 8bit utf8 headers envid=a b)"},
    {"all-parameters-of-rcpt", DIALOGUE_TRUSTED,
     EHLO MAIL "RCPT TO:<b@y.org>  NOTIFY=SUCCESS,DELAY  ORCPT=rfc822;B+2Bx@y.org \r\n", OPENED,
     "(mail <a@x.org>)(rcpt <b@y.org> notify=10 orcpt=rfc822;B+x@y.org)"},
    {"unknown-parameters", DIALOGUE_TRUSTED,
     EHLO "MAIL FROM:<a@x.org> FOO=1\r\nMAIL FROM:<a@x.org> AUTH=<>\r\n" MAIL "RCPT TO:<b@y.org> SIZE=3\r\n",
     "250 555/5.5.4 555/5.5.4 250/2.1.0 555/5.5.4", NULL},
    {"parameter-given-twice", DIALOGUE_TRUSTED,
     EHLO "MAIL FROM:<a@x.org> SIZE=1 SIZE=1\r\n" MAIL "RCPT TO:<b@y.org> NOTIFY=NEVER notify=NEVER\r\n",
     "250 501/5.5.4 250/2.1.0 501/5.5.4", NULL},
    {"binary-is-not-offered", DIALOGUE_TRUSTED, EHLO "MAIL FROM:<a@x.org> BODY=BINARYMIME\r\n", "250 501/5.5.4", ""},
    {"utf8-needs-its-parameter", DIALOGUE_TRUSTED,
     EHLO "MAIL FROM:<\xc3\xa4@x.org>\r\n" MAIL "RCPT TO:<\xc3\xb6@y.org>\r\nRCPT TO:<b@\xc3\xb6.org>\r\n",
     "250 553/5.6.7 250/2.1.0 553/5.6.7 553/5.6.7", "(mail <a@x.org>)"},
    {"utf8-with-its-parameter", DIALOGUE_TRUSTED,
     EHLO "MAIL FROM:<\xc3\xa4@x.org> SMTPUTF8\r\nRCPT TO:<\xc3\xb6@y.org>\r\n", OPENED,
     "(mail <\xc3\xa4@x.org> utf8)(rcpt <\xc3\xb6@y.org>)"},
    {"invalid-utf8", DIALOGUE_TRUSTED, EHLO "MAIL FROM:<\xff@x.org> SMTPUTF8\r\n", "250 553/5.6.7", ""},

    /* Relaying */
    {"strangers-may-not-relay", DIALOGUE_STRANGER, OPEN "DATA\r\n", "250 250/2.1.0 550/5.7.1 554/5.5.1",
     "(mail <a@x.org>){550/5.7.1 RCPT TO:<b@y.org>}"},
    {"strangers-may-not-write-to-postmaster", DIALOGUE_STRANGER, EHLO MAIL "RCPT TO:<postmaster>\r\n",
     "250 250/2.1.0 550/5.7.1", NULL},
    {"strangers-may-not-bdat", DIALOGUE_STRANGER, OPEN "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n",
     "250 250/2.1.0 550/5.7.1 554/5.5.1 250/2.0.0", NULL},
    {"the-local-socket-may-relay", DIALOGUE_LOCAL, OPEN, OPENED, NULL},

    /* What the relay refuses */
    {"refused-sender", DIALOGUE_TRUSTED, EHLO "MAIL FROM:<refused@x.org>\r\n" RCPT MAIL,
     "250 550/5.1.1 503/5.5.1 250/2.1.0", NULL},
    {"refused-recipient-among-others", DIALOGUE_TRUSTED,
     EHLO MAIL "RCPT TO:<refused@y.org>\r\n" RCPT "DATA\r\nx\r\n.\r\n",
     "250 250/2.1.0 550/5.1.1 250/2.1.5 354 250/2.6.0", NULL},
    {"no-data-when-all-recipients-are-refused", DIALOGUE_TRUSTED,
     EHLO MAIL "RCPT TO:<refused@y.org>\r\nDATA\r\nRSET\r\n", "250 250/2.1.0 550/5.1.1 554/5.5.1 250/2.0.0", NULL},
    {"refused-recipients-are-forgotten-by-rset", DIALOGUE_TRUSTED,
     EHLO MAIL "RCPT TO:<refused@y.org>\r\nRSET\r\n" MAIL "DATA\r\n",
     "250 250/2.1.0 550/5.1.1 250/2.0.0 250/2.1.0 503/5.5.1", NULL},
    {"refused-data", DIALOGUE_TRUSTED, EHLO "MAIL FROM:<full@x.org>\r\n" RCPT "DATA\r\n" MAIL,
     OPENED " 550/5.1.1 250/2.1.0", "(mail <full@x.org>)(rcpt <b@y.org>)full (mail <a@x.org>)"},
    {"refused-first-chunk-is-read", DIALOGUE_TRUSTED,
     EHLO "MAIL FROM:<full@x.org>\r\n" RCPT "BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n",
     OPENED " 550/5.1.1 503/5.5.1 250/2.0.0", NULL},
    {"message-that-cannot-be-kept", DIALOGUE_TRUSTED,
     EHLO "MAIL FROM:<lost@x.org>\r\n" RCPT "DATA\r\nx\r\n.\r\nNOOP\r\n", OPENED " 354 550/5.1.1 250/2.0.0", NULL},
    {"421-to-mail-ends-the-session", DIALOGUE_TRUSTED, EHLO "MAIL FROM:<stop@x.org>\r\nNOOP\r\n", "250 421/4.3.2",
     NULL},
    {"421-to-rcpt-ends-the-session", DIALOGUE_TRUSTED, EHLO MAIL "RCPT TO:<stop@x.org>\r\nNOOP\r\n",
     "250 250/2.1.0 421/4.3.2", NULL},

    /* Limits */
    {"too-many-recipients", DIALOGUE_TRUSTED,
     OPEN "RCPT TO:<c@y.org>\r\nRCPT TO:<d@y.org>\r\nRCPT TO:<e@y.org>\r\nRCPT TO:<f@y.org>\r\nDATA\r\n.\r\n",
     OPENED " 250/2.1.5 250/2.1.5 452/4.5.3 452/4.5.3 354 250/2.6.0",
     ENVELOPE "(rcpt <c@y.org>)(rcpt <d@y.org>){452/4.5.3 RCPT TO:<e@y.org>}begin [] "},
    {"too-many-recipients-are-told-for-each-message", DIALOGUE_TRUSTED,
     OPEN "RCPT TO:<c@y.org>\r\nRCPT TO:<d@y.org>\r\nRCPT TO:<e@y.org>\r\nRSET\r\n" MAIL RCPT
          "RCPT TO:<c@y.org>\r\nRCPT TO:<d@y.org>\r\nRCPT TO:<e@y.org>\r\n",
     OPENED " 250/2.1.5 250/2.1.5 452/4.5.3 250/2.0.0 250/2.1.0 250/2.1.5 250/2.1.5 250/2.1.5 452/4.5.3",
     ENVELOPE "(rcpt <c@y.org>)(rcpt <d@y.org>){452/4.5.3 RCPT TO:<e@y.org>}" ENVELOPE
              "(rcpt <c@y.org>)(rcpt <d@y.org>){452/4.5.3 RCPT TO:<e@y.org>}"},
    {"declared-size-too-large", DIALOGUE_TRUSTED,
     EHLO "MAIL FROM:<a@x.org> SIZE=1001\r\nMAIL FROM:<a@x.org> SIZE=18446744073709551616\r\n"
          "MAIL FROM:<a@x.org> SIZE=99999999999999999999\r\nMAIL FROM:<a@x.org> SIZE=1000\r\n",
     "250 552/5.3.4 552/5.3.4 552/5.3.4 250/2.1.0", NULL},
    {"declared-size-is-no-number", DIALOGUE_TRUSTED,
     EHLO "MAIL FROM:<a@x.org> SIZE=\r\nMAIL FROM:<a@x.org> SIZE\r\nMAIL FROM:<a@x.org> SIZE=-1\r\n"
          "MAIL FROM:<a@x.org> SIZE=1x\r\nMAIL FROM:<a@x.org> SIZE=000000000000000000001\r\n",
     "250 501/5.5.4 501/5.5.4 501/5.5.4 501/5.5.4 501/5.5.4", ""},
    {"too-many-errors", DIALOGUE_TRUSTED, "A\r\nB\r\nC\r\nD\r\nE\r\nMYSECRET\r\nNOOP\r\n",
     "500/5.5.2 500/5.5.2 500/5.5.2 500/5.5.2 500/5.5.2 421/4.7.0", "{421/4.7.0 an unknown command}"},
    {"bad-addresses-of-trusted-clients-are-no-errors", DIALOGUE_TRUSTED,
     EHLO MAIL "RCPT TO:<@>\r\nRCPT TO:<@>\r\nRCPT TO:<@>\r\nRCPT TO:<@>\r\nRCPT TO:<@>\r\nRCPT TO:<@>\r\n" RCPT,
     "250 250/2.1.0 501/5.1.3 501/5.1.3 501/5.1.3 501/5.1.3 501/5.1.3 501/5.1.3 250/2.1.5", NULL},
    {"strangers-who-try-to-relay-are-cut-off", DIALOGUE_STRANGER, EHLO MAIL RCPT RCPT RCPT RCPT RCPT RCPT "NOOP\r\n",
     "250 250/2.1.0 550/5.7.1 550/5.7.1 550/5.7.1 550/5.7.1 550/5.7.1 421/4.7.0", NULL},

    /* Line ends, where LF does not stand for CRLF, and where it does */
    {"strict-bare-lf-ends-no-command", DIALOGUE_STRICT, EHLO "NOOP\n" MAIL "NOOP\r\n", "250 500/5.5.2 250/2.0.0", ""},
    {"strict-bare-cr-ends-no-command", DIALOGUE_STRICT, EHLO "NOOP\rNOOP\r\nNOOP\r\n", "250 500/5.5.2 250/2.0.0", ""},
    {"strict-bare-lf-ends-no-data", DIALOGUE_STRICT, OPEN "DATA\r\nx\n.\n" MAIL "y\r\n.\r\nNOOP\r\n",
     OPENED " 354 550/5.6.11 250/2.0.0", ENVELOPE "begin {550/5.6.11 DATA}abort "},
    {"strict-lf-dot-crlf-ends-no-data", DIALOGUE_STRICT, OPEN "DATA\r\nx\n.\r\n" MAIL "\r\n.\r\nNOOP\r\n",
     OPENED " 354 550/5.6.11 250/2.0.0", NULL},
    {"strict-crlf-dot-lf-ends-no-data", DIALOGUE_STRICT, OPEN "DATA\r\nx\r\n.\n" MAIL "\r\n.\r\nNOOP\r\n",
     OPENED " 354 550/5.6.11 250/2.0.0", NULL},
    {"strict-crlf-dot-cr-ends-no-data", DIALOGUE_STRICT, OPEN "DATA\r\nx\r\n.\r" MAIL "\r\n.\r\nNOOP\r\n",
     OPENED " 354 550/5.6.11 250/2.0.0", NULL},
    {"strict-cr-dot-cr-ends-no-data", DIALOGUE_STRICT, OPEN "DATA\r\nx\r.\r" MAIL "\r\n.\r\nNOOP\r\n",
     OPENED " 354 550/5.6.11 250/2.0.0", NULL},
    {"strangers-lf-ends-no-command", DIALOGUE_STRANGER, EHLO "NOOP\n" MAIL "NOOP\r\n", "250 500/5.5.2 250/2.0.0", ""},
    {"lf-ends-a-command", DIALOGUE_TRUSTED, "EHLO c\nNOOP\nQUIT\n", "250 250/2.0.0 221/2.0.0", ""},
    {"cr-ends-no-command", DIALOGUE_TRUSTED, EHLO "NOOP\rNOOP\r\nNOOP\n", "250 500/5.5.2 250/2.0.0", ""},
    {"session-with-lf-alone", DIALOGUE_TRUSTED,
     "EHLO c\nMAIL FROM:<a@x.org>\nRCPT TO:<b@y.org>\nDATA\nSubject: x\n\ny\n\r\n.\r\nQUIT\n",
     OPENED " 354 250/2.6.0 221/2.0.0", ENVELOPE "begin [Subject: x\r\n\r\ny\r\n\r\n] "},
    {"lf-and-cr-become-crlf", DIALOGUE_TRUSTED, OPEN "DATA\r\nx\ny\rz\r\n.\r\n", OPENED " 354 250/2.6.0",
     ENVELOPE "begin [x\r\ny\r\nz\r\n] "},
    {"lf-becomes-crlf-over-tls", DIALOGUE_TLS, OPEN "DATA\r\nx\ny\r\n.\r\n", OPENED " 354 250/2.6.0",
     ENVELOPE "begin [x\r\ny\r\n] "},
    {"lf-becomes-crlf-in-chunks", DIALOGUE_TRUSTED, OPEN "BDAT 3\r\nx\nyBDAT 3 LAST\r\n\n.\n",
     OPENED " 250/2.0.0 250/2.6.0", ENVELOPE "begin [x\r\ny\r\n.\r\n] "},
    {"local-lf-ends-a-command", DIALOGUE_LOCAL, "EHLO c\nNOOP\nQUIT\n", "250 250/2.0.0 221/2.0.0", ""},
    {"local-lf-is-normalised", DIALOGUE_LOCAL, OPEN "DATA\r\nx\ny\rz\r\n.\r\n", OPENED " 354 250/2.6.0",
     ENVELOPE "begin [x\r\ny\r\nz\r\n] "},
    {"local-lf-ends-no-data", DIALOGUE_LOCAL, OPEN "DATA\r\nx\n.\nNOOP\r\n.\r\n", OPENED " 354 250/2.6.0",
     ENVELOPE "begin [x\r\n.\r\nNOOP\r\n] "},

    /* BDAT (RFC 3030) */
    {"bdat", DIALOGUE_TRUSTED, OPEN "BDAT 6\r\na\r\nb\r\nbdat 3 last\r\n.\r\nQUIT\r\n",
     OPENED " 250/2.0.0 250/2.6.0 221/2.0.0", ENVELOPE "begin [a\r\nb\r\n.\r\n] "},
    {"bdat-in-one-chunk", DIALOGUE_TRUSTED, OPEN "BDAT 3 LAST\r\nx\r\nNOOP\r\n", OPENED " 250/2.6.0 250/2.0.0", NULL},
    {"bdat-0-last", DIALOGUE_TRUSTED, OPEN "BDAT 3\r\nx\r\nBDAT 0 LAST\r\n" MAIL,
     OPENED " 250/2.0.0 250/2.6.0 250/2.1.0", ENVELOPE "begin [x\r\n] (mail <a@x.org>)"},
    {"bdat-0", DIALOGUE_TRUSTED, OPEN "BDAT 0\r\nBDAT 0\r\nBDAT 0 LAST\r\n", OPENED " 250/2.0.0 250/2.0.0 250/2.6.0",
     ENVELOPE "begin [] "},
    {"bdat-cuts-a-crlf", DIALOGUE_STRICT, OPEN "BDAT 2\r\nx\rBDAT 3 LAST\r\n\ny\r", OPENED " 250/2.0.0 550/5.6.11",
     NULL},
    {"bdat-joins-a-crlf", DIALOGUE_TRUSTED, OPEN "BDAT 2\r\nx\rBDAT 1 LAST\r\n\n", OPENED " 250/2.0.0 250/2.6.0",
     ENVELOPE "begin [x\r\n] "},
    {"bdat-cr-first", DIALOGUE_TRUSTED, OPEN "BDAT 1\r\n\rBDAT 1 LAST\r\n\n", OPENED " 250/2.0.0 250/2.6.0",
     ENVELOPE "begin [\r\n] "},
    {"bdat-without-a-last-line-end", DIALOGUE_TRUSTED, OPEN "BDAT 1 LAST\r\nx", OPENED " 250/2.6.0",
     ENVELOPE "begin [x\r\n] "},
    {"bdat-content-is-no-command", DIALOGUE_TRUSTED, OPEN "BDAT 12 LAST\r\nQUIT\r\nRSET\r\n", OPENED " 250/2.6.0",
     NULL},
    {"bdat-bare-lf", DIALOGUE_STRICT, OPEN "BDAT 3\r\nx\nyBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n",
     OPENED " 550/5.6.11 503/5.5.1 250/2.0.0", ENVELOPE "begin {550/5.6.11 BDAT}abort "},
    {"bdat-without-a-transaction-is-read", DIALOGUE_TRUSTED, EHLO "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n",
     "250 503/5.5.1 250/2.0.0", ""},
    {"bdat-without-recipients-is-read", DIALOGUE_TRUSTED,
     EHLO MAIL "RCPT TO:<refused@y.org>\r\nBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n" RCPT "BDAT 0 LAST\r\n",
     "250 250/2.1.0 550/5.1.1 554/5.5.1 554/5.5.1 250/2.1.5 250/2.6.0", NULL},
    {"bdat-after-data", DIALOGUE_TRUSTED, OPEN "DATA\r\n.\r\nBDAT 6 LAST\r\nQUIT\r\n",
     OPENED " 354 250/2.6.0 503/5.5.1", NULL},
    {"bdat-with-another-word-is-read", DIALOGUE_TRUSTED,
     OPEN "BDAT 6 FIRST\r\nQUIT\r\nBDAT 6 LAST X\r\nQUIT\r\nNOOP\r\n", OPENED " 501/5.5.4 503/5.5.1 250/2.0.0", NULL},
    {"bdat-without-a-size-ends-the-session", DIALOGUE_TRUSTED, OPEN "BDAT LAST\r\nNOOP\r\n", OPENED " 521/5.5.4",
     NULL},
    {"bdat-size-overflow-ends-the-session", DIALOGUE_TRUSTED, OPEN "BDAT 18446744073709551616\r\nNOOP\r\n",
     OPENED " 521/5.5.4", NULL},
    {"bdat-ends-with-rset", DIALOGUE_TRUSTED, OPEN "BDAT 3\r\nx\r\nRSET\r\nBDAT 6 LAST\r\nQUIT\r\n",
     OPENED " 250/2.0.0 250/2.0.0 503/5.5.1", ENVELOPE "begin abort "},
    {"bdat-ends-with-ehlo", DIALOGUE_TRUSTED, OPEN "BDAT 3\r\nx\r\n" EHLO, OPENED " 250/2.0.0 250",
     ENVELOPE "begin abort "},
    {"bdat-ends-with-quit", DIALOGUE_TRUSTED, OPEN "BDAT 3\r\nx\r\nQUIT\r\n", OPENED " 250/2.0.0 221/2.0.0",
     ENVELOPE "begin abort "},
    /* STARTTLS (RFC 3207) */
    {"starttls-not-offered", DIALOGUE_TRUSTED, EHLO "STARTTLS\r\nNOOP\r\n", "250 502/5.5.1 250/2.0.0", ""},
    {"starttls-before-ehlo", DIALOGUE_TLS, "STARTTLS\r\nHELO c\r\nSTARTTLS\r\n", "503/5.5.1 250 503/5.5.1", ""},
    {"starttls-with-an-argument", DIALOGUE_TLS, EHLO "STARTTLS now\r\n", "250 501/5.5.4", ""},
    {"nothing-behind-starttls-is-executed", DIALOGUE_TLS, EHLO "STARTTLS\r\n" OPEN "DATA\r\nx\r\n.\r\n",
     "250 220/2.0.0", "tls "},
    {"starttls-forgets-the-transaction", DIALOGUE_TLS, OPEN "BDAT 3\r\nx\r\nSTARTTLS\r\n",
     OPENED " 250/2.0.0 220/2.0.0", ENVELOPE "begin abort tls "},
};

/* Feeds what is before @cut in one piece, and the rest in pieces of @step. */
static void
play (const Case *c, DialogueFinish finish, gsize cut, gsize step)
{
    g_autoptr (Dialogue) dialogue = dialogue_new (c->kind, finish);
    g_autofree gchar *replies = g_strdup_printf ("220 %s", c->replies);
    gsize length = strlen (c->input);

    dialogue_feed (dialogue, c->input, cut);
    for (gsize position = cut; position < length; position += step)
        dialogue_feed (dialogue, c->input + position, MIN (step, length - position));
    smtp_server_eof (dialogue->server);

    dialogue_assert_replies (dialogue, replies);
    if (c->events != NULL)
        dialogue_assert_events (dialogue, c->events);
}

static void
test_case (gconstpointer data)
{
    const Case *c = data;
    gsize length = strlen (c->input);

    for (gsize cut = 0; cut <= length; cut++) {
        play (c, DIALOGUE_FINISH_AT_ONCE, cut, length);
        play (c, DIALOGUE_FINISH_LATER, cut, length);
    }
    play (c, DIALOGUE_FINISH_AT_ONCE, 0, 1);
    play (c, DIALOGUE_FINISH_LATER, 0, 1);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autofree gchar *path = g_strdup_printf ("/smtp/server/%s", cases[i].path);

        g_test_add_data_func (path, &cases[i], test_case);
    }

    return g_test_run ();
}
