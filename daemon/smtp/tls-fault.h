/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "smtp/tls.h"

#include <gnutls/gnutls.h>
#include <glib.h>

/**
 * smtp_tls_fault_describe:
 * @session: one whose handshake ended with GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR
 * @server_name: (nullable): the name that the certificate should have carried
 *
 * Returns: (transfer full): what is wrong with the peer's certificate, "it expired on 2025-01-31; it is for
 *   a.example, not for b.example", printable
 */
gchar *smtp_tls_fault_describe (gnutls_session_t session, const gchar *server_name);

/* Which of the faults has to be seen to first: another name makes the others those of another's certificate. */
SmtpTlsError smtp_tls_fault_kind (gnutls_session_t session);
