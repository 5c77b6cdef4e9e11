/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Providers
 *
 * Most of the large providers publish no SRV records for submission, so what a person would look up on their help pages
 * is in a table. Where a provider has both ways, the one it names first is taken.
 *
 * Domains of companies that have their mail at a provider are known by their mail exchangers. A provider without a server
 * that takes mail is in the table, too: it is better to say so than to let somebody guess.
 */

#include "cli/setup-provider.h"

#include <string.h>

#define APP_PASSWORD_NOTE "It wants an app password, which its web site makes under the settings for security"
#define ACCESS_NOTE                                                                                                  \
    "Access by other mail programs (POP3 and IMAP) has to be allowed in the settings of the mailbox first"

#define STARTTLS(host) host, 587, "starttls"
#define IMPLICIT(host) host, 465, "implicit"

/* clang-format off */
static const Provider providers[] = {
    {"Gmail", "gmail.com googlemail.com", "google.com googlemail.com", STARTTLS ("smtp.gmail.com"), NULL,
     "Google wants an app password, made at https://myaccount.google.com/apppasswords; for that the account needs "
     "2-step verification"},
    {"Outlook.com", "outlook.com outlook.de outlook.fr outlook.es outlook.it hotmail.com hotmail.co.uk hotmail.de "
     "hotmail.fr hotmail.it hotmail.es live.com live.co.uk live.de live.fr live.nl live.it msn.com passport.com", NULL,
     STARTTLS ("smtp-mail.outlook.com"), NULL,
     "Microsoft takes no passwords from mail programs of personal accounts any more, only OAuth 2: the login will "
     "most likely be refused, and another provider is the way out"},
    {"Microsoft 365", NULL, "mail.protection.outlook.com mx.microsoft", STARTTLS ("smtp.office365.com"), NULL,
     "Authenticated SMTP has to be allowed for the mailbox by the organization's administrator"},
    {"Yahoo", "yahoo.com yahoo.co.uk yahoo.ca yahoo.de yahoo.fr yahoo.es yahoo.it yahoo.in yahoo.co.in yahoo.com.au "
     "yahoo.com.br ymail.com rocketmail.com", "yahoodns.net", IMPLICIT ("smtp.mail.yahoo.com"), NULL,
     APP_PASSWORD_NOTE},
    {"AOL", "aol.com aol.de aim.com verizon.net", NULL, IMPLICIT ("smtp.aol.com"), NULL, APP_PASSWORD_NOTE},
    {"iCloud", "icloud.com me.com mac.com", "mail.icloud.com", STARTTLS ("smtp.mail.me.com"), NULL,
     "Apple wants an app-specific password, made at https://account.apple.com"},
    {"Fastmail", "fastmail.com fastmail.fm fastmail.net fastmail.org fastmail.de fastmail.co.uk sent.com", "messagingengine.com",
     IMPLICIT ("smtp.fastmail.com"), NULL, APP_PASSWORD_NOTE},
    {"GMX", "gmx.de gmx.net gmx.at gmx.ch gmx.li gmx.eu", NULL, STARTTLS ("mail.gmx.net"), NULL, ACCESS_NOTE},
    {"GMX.com", "gmx.com gmx.us gmx.co.uk gmx.fr gmx.es", NULL, STARTTLS ("mail.gmx.com"), NULL, ACCESS_NOTE},
    {"WEB.DE", "web.de email.de", NULL, STARTTLS ("smtp.web.de"), NULL, ACCESS_NOTE},
    {"T-Online", "t-online.de magenta.de", NULL, IMPLICIT ("securesmtp.t-online.de"), NULL,
     "The Telekom wants the password for mail programs, which is set in the customer centre apart from the account's"},
    {"freenet", "freenet.de", NULL, STARTTLS ("mx.freenet.de"), NULL, NULL},
    {"mailbox.org", "mailbox.org", "mailbox.org", IMPLICIT ("smtp.mailbox.org"), NULL, NULL},
    {"Posteo", "posteo.de posteo.net posteo.org posteo.at posteo.ch posteo.eu posteo.us", NULL, IMPLICIT ("posteo.de"),
     NULL, NULL},
    {"Zoho", "zoho.com zohomail.com", "zoho.com", IMPLICIT ("smtp.zoho.com"), NULL, APP_PASSWORD_NOTE},
    {"Zoho Europe", "zoho.eu zohomail.eu", "zoho.eu", IMPLICIT ("smtp.zoho.eu"), NULL, APP_PASSWORD_NOTE},
    {"Proton", "proton.me protonmail.com protonmail.ch pm.me", "protonmail.ch", STARTTLS ("smtp.protonmail.ch"), NULL,
     "Proton takes mail from programs with an SMTP token only, which paid plans with a domain of their own have; else "
     "the Bridge has to run on this machine: name it “Proton Bridge”"},
    {"Proton Bridge", NULL, NULL, "127.0.0.1", 1025, "starttls", NULL,
     "User and password are those that the Bridge shows, not those of the account. Its certificate is its own: export "
     "it there, and name the file with --trust-file="},
    {"Tuta", "tuta.com tuta.io tutanota.com tutanota.de tutamail.com keemail.me", "tutanota.de", NULL, 0, NULL, NULL,
     "Tuta has no server that takes mail from programs: another provider is needed"},
    {"OVH", NULL, "mail.ovh.net", IMPLICIT ("ssl0.ovh.net"), NULL, NULL},
    {"IONOS", "online.de", "kundenserver.de ionos.de ui-dns.de", IMPLICIT ("smtp.ionos.de"), NULL, NULL},
    {"IONOS international", NULL, "ionos.com ionos.co.uk ionos.fr ionos.es 1and1.com", IMPLICIT ("smtp.ionos.com"), NULL, NULL},
    {"STRATO", "strato.de", "rzone.de", IMPLICIT ("smtp.strato.de"), NULL, NULL},
    {"Hetzner", NULL, "your-server.de", IMPLICIT ("mail.your-server.de"), NULL, NULL},
    {"Infomaniak", "ik.me ikmail.com etik.com", "infomaniak.ch", IMPLICIT ("mail.infomaniak.com"), NULL, NULL},
    {"Gandi", NULL, "gandi.net", IMPLICIT ("mail.gandi.net"), NULL, NULL},
    {"Migadu", NULL, "migadu.com", IMPLICIT ("smtp.migadu.com"), NULL, NULL},
    {"Hostinger", NULL, "hostinger.com", IMPLICIT ("smtp.hostinger.com"), NULL, NULL},
    {"Free", "free.fr", NULL, IMPLICIT ("smtp.free.fr"), NULL,
     "Authenticated SMTP has to be switched on in the settings of the mailbox first"},
    {"Orange", "orange.fr wanadoo.fr", NULL, IMPLICIT ("smtp.orange.fr"), NULL, NULL},
    {"SFR", "sfr.fr neuf.fr cegetel.net club-internet.fr", NULL, IMPLICIT ("smtp.sfr.fr"), NULL, NULL},
    {"La Poste", "laposte.net", NULL, IMPLICIT ("smtp.laposte.net"), NULL, NULL},
    {"Bluewin", "bluewin.ch", NULL, IMPLICIT ("smtpauths.bluewin.ch"), NULL, NULL},
    {"Libero", "libero.it", NULL, IMPLICIT ("smtp.libero.it"), NULL, NULL},
    {"Seznam", "seznam.cz email.cz", NULL, IMPLICIT ("smtp.seznam.cz"), NULL, NULL},
    {"WP", "wp.pl", NULL, IMPLICIT ("smtp.wp.pl"), NULL, NULL},
    {"Yandex", "yandex.ru yandex.com ya.ru yandex.by yandex.kz", "yandex.net yandex.ru", IMPLICIT ("smtp.yandex.com"), NULL,
     APP_PASSWORD_NOTE},
    {"Mail.ru", "mail.ru inbox.ru list.ru bk.ru internet.ru", "mail.ru", IMPLICIT ("smtp.mail.ru"), NULL, APP_PASSWORD_NOTE},
    {"Comcast", "comcast.net", NULL, STARTTLS ("smtp.comcast.net"), NULL, NULL},
    {"AT&T", "att.net sbcglobal.net bellsouth.net", NULL, IMPLICIT ("smtp.mail.att.net"), NULL,
     "AT&T wants a secure mail key, made in the settings of the account"},
    {"Riseup", "riseup.net", NULL, IMPLICIT ("mail.riseup.net"), NULL, NULL},
    {"Disroot", "disroot.org", NULL, STARTTLS ("disroot.org"), NULL, NULL},
    {"QQ", "qq.com foxmail.com", NULL, IMPLICIT ("smtp.qq.com"), NULL, "It wants an authorization code, made in the settings"},
    {"163", "163.com", NULL, IMPLICIT ("smtp.163.com"), NULL, "It wants an authorization code, made in the settings"},

    /* Services that send mail for programs. */
    {"Amazon SES", NULL, NULL, STARTTLS ("email-smtp.us-east-1.amazonaws.com"), NULL,
     "us-east-1 in the server's name stands for your region. User and password are SMTP credentials, made in the "
     "console of SES; access keys of AWS are others"},
    {"SendGrid", NULL, NULL, STARTTLS ("smtp.sendgrid.net"), "apikey", "The password is an API key"},
    {"Mailgun", NULL, NULL, STARTTLS ("smtp.mailgun.org"), NULL, "The server of a domain in Europe is smtp.eu.mailgun.org"},
    {"Mailgun Europe", NULL, NULL, STARTTLS ("smtp.eu.mailgun.org"), NULL, NULL},
    {"Mailjet", NULL, NULL, STARTTLS ("in-v3.mailjet.com"), NULL, "The user is the API key, the password the secret key"},
    {"Postmark", NULL, NULL, STARTTLS ("smtp.postmarkapp.com"), NULL, "User and password both are the server's API token"},
    {"Brevo", NULL, NULL, STARTTLS ("smtp-relay.brevo.com"), NULL, "The password is an SMTP key"},
    {"SparkPost", NULL, NULL, STARTTLS ("smtp.sparkpostmail.com"), "SMTP_Injection", "The password is an API key"},
    {"SMTP2GO", NULL, NULL, STARTTLS ("mail.smtp2go.com"), NULL, NULL},
};
/* clang-format on */

static gboolean
has_word (const gchar *words, const gchar *word)
{
    g_auto (GStrv) list = g_strsplit (words != NULL ? words : "", " ", -1);

    for (guint i = 0; list[i] != NULL; i++)
        if (g_ascii_strcasecmp (list[i], word) == 0)
            return TRUE;

    return FALSE;
}

/* Whether @host is one of @words, or below it. */
static gboolean
ends_in_word (const gchar *words, const gchar *host)
{
    for (const gchar *rest = host; rest != NULL; rest = strchr (rest, '.') != NULL ? strchr (rest, '.') + 1 : NULL)
        if (*rest != '\0' && has_word (words, rest))
            return TRUE;

    return FALSE;
}

const Provider *
provider_find_domain (const gchar *domain)
{
    for (guint i = 0; i < G_N_ELEMENTS (providers); i++)
        if (has_word (providers[i].domains, domain))
            return &providers[i];

    return NULL;
}

const Provider *
provider_find_exchanger (const gchar *host)
{
    for (guint i = 0; i < G_N_ELEMENTS (providers); i++)
        if (ends_in_word (providers[i].exchanger, host))
            return &providers[i];

    return NULL;
}

/* The servers of one service in its regions differ in one label, as email-smtp.REGION.amazonaws.com. */
static gboolean
is_region_of (const gchar *host)
{
    return g_str_has_prefix (host, "email-smtp.") && g_str_has_suffix (host, ".amazonaws.com");
}

const Provider *
provider_find_host (const gchar *host)
{
    for (guint i = 0; i < G_N_ELEMENTS (providers); i++)
        if (providers[i].host != NULL && (g_ascii_strcasecmp (providers[i].host, host) == 0 ||
                                          (is_region_of (host) && is_region_of (providers[i].host))))
            return &providers[i];

    return NULL;
}

/* Letters and digits of a name, in lower case. */
static gchar *
simplify (const gchar *name)
{
    GString *simple = g_string_new (NULL);

    for (const gchar *c = name; *c != '\0'; c++)
        if (g_ascii_isalnum (*c))
            g_string_append_c (simple, g_ascii_tolower (*c));

    return g_string_free (simple, FALSE);
}

const Provider *
provider_find_name (const gchar *name)
{
    g_autofree gchar *wanted = simplify (name);

    for (guint i = 0; i < G_N_ELEMENTS (providers); i++) {
        g_autofree gchar *simple = simplify (providers[i].name);

        if (g_str_equal (simple, wanted))
            return &providers[i];
    }

    return NULL;
}

const Provider *
provider_get (guint index)
{
    return index < G_N_ELEMENTS (providers) ? &providers[index] : NULL;
}
