/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "delivery/health.h"
#include "smtp/tls.h"

#define SECOND ((gint64) G_USEC_PER_SEC)
#define NOW    (1000 * SECOND)
#define MIDDLE 0.5 /* the random number that shifts no delay */
#define MOST   4

static DeliveryFailure *
failure (DeliveryFailureKind kind, guint code)
{
    g_autoptr (SmtpReply) reply = code ? smtp_reply_new (code, NULL, "words") : NULL;

    return delivery_failure_new (kind, reply, g_strdup ("reason"));
}

static gboolean
refuse (DeliveryHealth *health, DeliveryFailureKind kind, guint code, guint others, gint64 now)
{
    g_autoptr (DeliveryFailure) why = failure (kind, code);

    return delivery_health_refused (health, why, others, now, MIDDLE);
}

static gboolean
drop (DeliveryHealth *health, guint code, QueueId id, guint others, gint64 now)
{
    g_autoptr (DeliveryFailure) why = failure (DELIVERY_FAILURE_CLOSED, code);

    return delivery_health_dropped (health, why, id, others, now, MIDDLE);
}

typedef struct {
    DeliveryHealth health;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
    delivery_health_init (&fixture->health, MOST);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
    delivery_health_clear (&fixture->health);
}

static void
test_unknown (Fixture *fixture, gconstpointer data)
{
    g_assert_cmpint (fixture->health.state, ==, DELIVERY_REMOTE_UNKNOWN);
    g_assert_cmpuint (delivery_health_limit (&fixture->health, NOW), ==, 1);
}

static void
test_up (Fixture *fixture, gconstpointer data)
{
    g_assert_true (delivery_health_opened (&fixture->health));
    g_assert_cmpint (fixture->health.state, ==, DELIVERY_REMOTE_UP);
    g_assert_cmpuint (delivery_health_limit (&fixture->health, NOW), ==, MOST);
    g_assert_false (delivery_health_opened (&fixture->health));
}

static void
test_down (Fixture *fixture, gconstpointer data)
{
    g_assert_true (refuse (&fixture->health, DELIVERY_FAILURE_CONNECT, 0, 0, NOW));
    g_assert_cmpint (fixture->health.state, ==, DELIVERY_REMOTE_DOWN);
    g_assert_cmpstr (fixture->health.failure->reason, ==, "reason");
    g_assert_cmpint (fixture->health.probe_usec, ==, NOW + DELIVERY_HEALTH_PROBE_FIRST_SECONDS * SECOND);
}

static void
test_backoff (Fixture *fixture, gconstpointer data)
{
    gint64 now = NOW;
    gint64 last = 0;

    for (guint i = 0; i < 20; i++) {
        gint64 delay;

        refuse (&fixture->health, DELIVERY_FAILURE_CONNECT, 0, 0, now);
        delay = fixture->health.probe_usec - now;
        g_assert_cmpint (delay, >=, last);
        last = delay;
        now = fixture->health.probe_usec;
    }

    g_assert_cmpint (last, ==, DELIVERY_HEALTH_PROBE_LONGEST_SECONDS * SECOND);
}

static void
test_together (Fixture *fixture, gconstpointer data)
{
    refuse (&fixture->health, DELIVERY_FAILURE_CONNECT, 0, 0, NOW);
    refuse (&fixture->health, DELIVERY_FAILURE_CONNECT, 0, 0, NOW + 1);
    refuse (&fixture->health, DELIVERY_FAILURE_CONNECT, 0, 0, NOW + 2);

    g_assert_cmpint (fixture->health.probe_usec, ==, NOW + DELIVERY_HEALTH_PROBE_FIRST_SECONDS * SECOND);
}

static void
test_login (Fixture *fixture, gconstpointer data)
{
    refuse (&fixture->health, DELIVERY_FAILURE_LOGIN, 535, 0, NOW);

    g_assert_cmpint (fixture->health.probe_usec, ==, NOW + DELIVERY_HEALTH_LOGIN_FIRST_SECONDS * SECOND);
}

static void
test_login_bounded (Fixture *fixture, gconstpointer data)
{
    gint64 now = NOW;

    for (guint i = 0; i < 20; i++) {
        now = MAX (now, fixture->health.probe_usec);
        refuse (&fixture->health, DELIVERY_FAILURE_LOGIN, 535, 0, now);
    }

    g_assert_cmpint (fixture->health.probe_usec - now, ==, DELIVERY_HEALTH_LOGIN_LONGEST_SECONDS * SECOND);
}

static void
test_hurry (Fixture *fixture, gconstpointer data)
{
    refuse (&fixture->health, DELIVERY_FAILURE_CONNECT, 0, 0, NOW);

    delivery_health_hurry (&fixture->health, FALSE, NOW + 2 * SECOND);
    g_assert_cmpint (fixture->health.probe_usec, ==, NOW + 2 * SECOND);
}

static void
test_hurry_storm (Fixture *fixture, gconstpointer data)
{
    refuse (&fixture->health, DELIVERY_FAILURE_CONNECT, 0, 0, NOW);

    delivery_health_hurry (&fixture->health, TRUE, NOW + 1);
    g_assert_cmpint (fixture->health.probe_usec, ==, NOW + DELIVERY_HEALTH_HURRY_SECONDS * SECOND);
}

static void
test_hurry_login (Fixture *fixture, gconstpointer data)
{
    gint64 planned;

    refuse (&fixture->health, DELIVERY_FAILURE_LOGIN, 535, 0, NOW);
    planned = fixture->health.probe_usec;

    delivery_health_hurry (&fixture->health, FALSE, NOW + 2 * SECOND);
    g_assert_cmpint (fixture->health.probe_usec, ==, planned);
    delivery_health_hurry (&fixture->health, TRUE, NOW + 2 * SECOND);
    g_assert_cmpint (fixture->health.probe_usec, ==, NOW + 2 * SECOND);
}

static void
test_recovers (Fixture *fixture, gconstpointer data)
{
    refuse (&fixture->health, DELIVERY_FAILURE_CONNECT, 0, 0, NOW);

    g_assert_true (delivery_health_opened (&fixture->health));
    g_assert_cmpuint (delivery_health_limit (&fixture->health, NOW), ==, 1);
    delivery_health_completed (&fixture->health);
    g_assert_cmpuint (delivery_health_limit (&fixture->health, NOW), ==, MOST);
}

static void
test_remembers (Fixture *fixture, gconstpointer data)
{
    refuse (&fixture->health, DELIVERY_FAILURE_CONNECT, 0, 0, NOW);
    delivery_health_opened (&fixture->health);
    refuse (&fixture->health, DELIVERY_FAILURE_CONNECT, 0, 0, NOW);
    g_assert_cmpint (fixture->health.probe_usec, ==, NOW + 2 * DELIVERY_HEALTH_PROBE_FIRST_SECONDS * SECOND);

    delivery_health_completed (&fixture->health);
    refuse (&fixture->health, DELIVERY_FAILURE_CONNECT, 0, 0, NOW);
    g_assert_cmpint (fixture->health.probe_usec, ==, NOW + DELIVERY_HEALTH_PROBE_FIRST_SECONDS * SECOND);
}

static void
test_older_session (Fixture *fixture, gconstpointer data)
{
    delivery_health_opened (&fixture->health);
    refuse (&fixture->health, DELIVERY_FAILURE_CONNECT, 0, 2, NOW);
    g_assert_cmpint (fixture->health.state, ==, DELIVERY_REMOTE_DOWN);

    g_assert_true (delivery_health_completed (&fixture->health));
    g_assert_cmpint (fixture->health.state, ==, DELIVERY_REMOTE_UP);
    g_assert_cmpuint (delivery_health_limit (&fixture->health, NOW), ==, 2);
}

static void
test_bad_message (Fixture *fixture, gconstpointer data)
{
    delivery_health_opened (&fixture->health);

    for (guint i = 0; i < 10; i++)
        g_assert_false (drop (&fixture->health, 0, 7, 0, NOW));
    g_assert_cmpint (fixture->health.state, ==, DELIVERY_REMOTE_UP);
}

static void
test_dropper (Fixture *fixture, gconstpointer data)
{
    delivery_health_opened (&fixture->health);

    for (guint i = 1; i < DELIVERY_HEALTH_DROPS_MOST; i++)
        g_assert_false (drop (&fixture->health, 0, i, 0, NOW));
    g_assert_true (drop (&fixture->health, 0, DELIVERY_HEALTH_DROPS_MOST, 0, NOW));
    g_assert_cmpint (fixture->health.state, ==, DELIVERY_REMOTE_DOWN);
}

static void
test_dropper_probed (Fixture *fixture, gconstpointer data)
{
    delivery_health_opened (&fixture->health);
    for (guint i = 1; i <= DELIVERY_HEALTH_DROPS_MOST; i++)
        drop (&fixture->health, 0, i, 0, NOW);

    delivery_health_opened (&fixture->health);
    g_assert_cmpuint (delivery_health_limit (&fixture->health, NOW), ==, 1);
    g_assert_true (drop (&fixture->health, 0, 100, 0, NOW));
}

static void
test_drops_between (Fixture *fixture, gconstpointer data)
{
    delivery_health_opened (&fixture->health);

    for (guint i = 1; i < 4 * DELIVERY_HEALTH_DROPS_MOST; i++) {
        g_assert_false (drop (&fixture->health, 0, i, 0, NOW));
        delivery_health_completed (&fixture->health);
    }
}

static void
test_own_disk (Fixture *fixture, gconstpointer data)
{
    g_autoptr (DeliveryFailure) why = failure (DELIVERY_FAILURE_LOCAL, 0);

    delivery_health_opened (&fixture->health);
    for (guint i = 1; i < 10; i++)
        g_assert_false (delivery_health_dropped (&fixture->health, why, i, 0, NOW, MIDDLE));
    g_assert_null (fixture->health.failure);
}

static void
test_crowded (Fixture *fixture, gconstpointer data)
{
    delivery_health_opened (&fixture->health);
    delivery_health_completed (&fixture->health);

    g_assert_false (refuse (&fixture->health, DELIVERY_FAILURE_REFUSED, 421, 2, NOW));
    g_assert_cmpint (fixture->health.state, ==, DELIVERY_REMOTE_UP);
    g_assert_cmpuint (delivery_health_limit (&fixture->health, NOW), ==, 2);

    delivery_health_completed (&fixture->health);
    g_assert_cmpuint (delivery_health_limit (&fixture->health, NOW), ==, 2);
}

static void
test_crowd_thins (Fixture *fixture, gconstpointer data)
{
    gint64 minute = DELIVERY_HEALTH_CROWDED_SECONDS * SECOND;

    delivery_health_opened (&fixture->health);
    refuse (&fixture->health, DELIVERY_FAILURE_REFUSED, 421, 2, NOW);

    g_assert_cmpuint (delivery_health_limit (&fixture->health, NOW + minute - 1), ==, 2);
    g_assert_cmpuint (delivery_health_limit (&fixture->health, NOW + minute), ==, 3);
    g_assert_cmpuint (delivery_health_limit (&fixture->health, NOW + minute + 1), ==, 3);
    g_assert_cmpuint (delivery_health_limit (&fixture->health, NOW + 2 * minute), ==, MOST);
    g_assert_cmpuint (delivery_health_limit (&fixture->health, NOW + 9 * minute), ==, MOST);
}

static void
test_greeting_421 (Fixture *fixture, gconstpointer data)
{
    g_assert_true (refuse (&fixture->health, DELIVERY_FAILURE_REFUSED, 421, 0, NOW));
    g_assert_cmpint (fixture->health.state, ==, DELIVERY_REMOTE_DOWN);
}

static void
test_crowded_in_session (Fixture *fixture, gconstpointer data)
{
    delivery_health_opened (&fixture->health);

    drop (&fixture->health, 421, 1, 3, NOW);
    g_assert_cmpint (fixture->health.state, ==, DELIVERY_REMOTE_UP);
    g_assert_cmpuint (delivery_health_limit (&fixture->health, NOW), ==, 3);
}

static void
test_reload (Fixture *fixture, gconstpointer data)
{
    delivery_health_opened (&fixture->health);
    delivery_health_set_most (&fixture->health, 9);
    g_assert_cmpuint (delivery_health_limit (&fixture->health, NOW), ==, 9);
    delivery_health_set_most (&fixture->health, 2);
    g_assert_cmpuint (delivery_health_limit (&fixture->health, NOW), ==, 2);
}

static void
test_status (void)
{
    g_autoptr (SmtpReply) reply = smtp_reply_new (554, "5.7.1", "go away");
    g_autoptr (DeliveryFailure) refused = delivery_failure_new (DELIVERY_FAILURE_REFUSED, reply, g_strdup ("x"));
    g_autoptr (DeliveryFailure) lookup = failure (DELIVERY_FAILURE_LOOKUP, 0);

    g_assert_cmpstr (refused->status, ==, "4.7.1");
    g_assert_cmpuint (refused->code, ==, 554);
    g_assert_cmpstr (lookup->status, ==, "4.4.3");
}

static void
assert_reason (DeliveryFailure *failure, const gchar *status, const gchar *reason)
{
    g_assert_cmpstr (failure->status, ==, status);
    g_assert_cmpstr (failure->reason, ==, reason);
    delivery_failure_free (failure);
}

static void
test_reasons (void)
{
    g_autoptr (SmtpReply) wrong = smtp_reply_new (535, "5.7.8", "bad credentials");
    g_autoptr (SmtpReply) busy = smtp_reply_new (454, "4.7.0", "too many logins");
    g_autoptr (SmtpReply) gone = smtp_reply_new (421, NULL, "going down");
    g_autoptr (SmtpReply) name = smtp_reply_new (550, "5.7.1", "bad name");

    assert_reason (delivery_failure_of_session ("mx:25", "me", SMTP_CLIENT_FAILED_AUTH, "refused", wrong), "4.7.8",
                   "mx:25: authentication refused: 535 5.7.8 bad credentials; check the password of User=me");
    assert_reason (delivery_failure_of_session ("mx:25", "me", SMTP_CLIENT_FAILED_AUTH, "refused", busy), "4.7.0",
                   "mx:25: authentication refused: 454 4.7.0 too many logins");
    assert_reason (delivery_failure_of_session ("mx:25", NULL, SMTP_CLIENT_FAILED_CLOSED, "it closed", gone), "4.4.2",
                   "mx:25: it closed: 421 going down");
    assert_reason (delivery_failure_of_session ("mx:25", NULL, SMTP_CLIENT_FAILED_CLOSED, "it closed", NULL), "4.4.2",
                   "mx:25: it closed");
    assert_reason (delivery_failure_of_session ("mx:25", NULL, SMTP_CLIENT_FAILED_NAME, "it refuses EHLO x", name),
                   "4.7.1", "mx:25: it refuses EHLO x: 550 5.7.1 bad name; see HostName=");
    assert_reason (delivery_failure_of_wait ("mx:25", SMTP_CLIENT_WAIT_DATA, 120), "4.4.2",
                   "mx:25: DATA was not answered within 120 seconds");
}

static void
test_advice_fits_the_certificate (void)
{
    static const struct {
        SmtpTlsError code;
        DeliveryFailureKind kind;
        const gchar *advice; /* "": none */
    } cases[] = {
        {SMTP_TLS_ERROR_AUTHORITY, DELIVERY_FAILURE_CERTIFICATE, "TrustFile="},
        {SMTP_TLS_ERROR_NAME, DELIVERY_FAILURE_CERTIFICATE, "Host="},
        {SMTP_TLS_ERROR_TIME, DELIVERY_FAILURE_CERTIFICATE, "renew"},
        {SMTP_TLS_ERROR_CERTIFICATE, DELIVERY_FAILURE_CERTIFICATE, ""},
        {SMTP_TLS_ERROR_HANDSHAKE, DELIVERY_FAILURE_TLS, ""},
    };

    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
        g_autoptr (GError) error = g_error_new (SMTP_TLS_ERROR, (gint) cases[i].code, "the fault");
        g_autoptr (DeliveryFailure) told = delivery_failure_of_tls ("mx:25", error);

        g_assert_cmpint (told->kind, ==, cases[i].kind);
        g_assert_cmpstr (told->status, ==, "4.7.5");
        g_assert_true (g_str_has_prefix (told->reason, "mx:25: the fault"));
        g_assert_true ((strchr (told->reason, ';') != NULL) == (cases[i].advice[0] != '\0'));
        g_assert_nonnull (strstr (told->reason, cases[i].advice));
        g_assert_true ((strstr (told->reason, "TrustFile=") != NULL) == (cases[i].code == SMTP_TLS_ERROR_AUTHORITY));
    }
}

#define ADD(name, function) g_test_add ("/delivery/health/" name, Fixture, NULL, set_up, function, tear_down)

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);
    ADD ("an-unknown-remote-gets-one-session", test_unknown);
    ADD ("an-opened-session-brings-it-up-with-all-sessions", test_up);
    ADD ("a-refused-session-brings-it-down-with-the-reason", test_down);
    ADD ("backoff-grows-to-its-bound", test_backoff);
    ADD ("sessions-that-fail-together-are-one-failure", test_together);
    ADD ("a-refused-login-waits-longer", test_login);
    ADD ("a-refused-login-is-tried-again-in-the-end", test_login_bounded);
    ADD ("hurry-probes-at-once", test_hurry);
    ADD ("hurry-after-hurry-is-no-storm", test_hurry_storm);
    ADD ("the-network-does-not-hurry-a-refused-login", test_hurry_login);
    ADD ("a-remote-that-comes-up-takes-one-message-first", test_recovers);
    ADD ("only-a-completed-message-forgets-the-backoff", test_remembers);
    ADD ("an-older-session-that-works-brings-it-up-but-no-higher", test_older_session);
    ADD ("one-message-that-breaks-sessions-does-not-bring-it-down", test_bad_message);
    ADD ("breaking-on-several-messages-in-a-row-brings-it-down", test_dropper);
    ADD ("a-dropper-is-probed-with-one-message", test_dropper_probed);
    ADD ("breaks-with-success-between-do-not-bring-it-down", test_drops_between);
    ADD ("an-unreadable-message-is-not-the-remotes-fault", test_own_disk);
    ADD ("one-session-too-many-lowers-the-limit-only", test_crowded);
    ADD ("the-limit-rises-by-one-a-minute", test_crowd_thins);
    ADD ("a-421-greeting-with-no-other-session-brings-it-down", test_greeting_421);
    ADD ("a-421-in-a-session-lowers-the-limit", test_crowded_in_session);
    ADD ("a-reload-changes-the-limit", test_reload);
    g_test_add_func ("/delivery/failure/the-end-of-a-session-is-temporary", test_status);
    g_test_add_func ("/delivery/failure/a-reason-says-where-what-and-what-to-do", test_reasons);
    g_test_add_func ("/delivery/failure/the-advice-fits-the-certificate", test_advice_fits_the_certificate);
    return g_test_run ();
}
