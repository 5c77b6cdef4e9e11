/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "smtp/reply.h"

/* What a server said to EHLO that it can do (RFC 5321 4.1.1.1), as far as the client makes use of it. */
typedef struct {
    gboolean starttls;
    gboolean pipelining;
    gboolean chunking;
    gboolean dsn;
    gboolean eightbitmime;
    gboolean smtputf8;
    gboolean size;
    guint64 size_most_bytes; /* 0: no limit was told */
    guint recipients_most;   /* of one transaction (RFC 9422); 0: no limit was told */
    gchar *auth;             /* (nullable) mechanisms, separated by spaces */
} SmtpCapabilities;

/* Reads the positive reply to EHLO. What was in @capabilities is forgotten. */
void smtp_capabilities_read (SmtpCapabilities *capabilities, const SmtpReply *reply);
void smtp_capabilities_clear (SmtpCapabilities *capabilities);
