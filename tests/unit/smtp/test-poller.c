/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The poller, over real sockets and the real clock. No test waits for a time: each runs the loop until what it
 * expects has happened, and fails if something came before it that must not.
 */

#include "smtp/poller.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* One end is watched, the other is the test's. */
typedef struct {
    SmtpPoller *poller;
    SmtpPollerWatch *watch;
    int watched;
    int other;
    guint ready;   /* calls with events */
    guint woken;   /* calls without */
    guint expired; /* calls */
    guint32 events;
    gint64 expired_usec;
    GPtrArray *victims; /* (nullable) of Peer: what a call removes the watches of */
    gboolean wakes_itself;
} Peer;

static void
peer_unwatch (Peer *peer)
{
    g_clear_pointer (&peer->watch, smtp_poller_watch_remove);
}

static void
peer_ready (guint32 events, gpointer user_data)
{
    Peer *peer = user_data;

    g_assert_nonnull (peer->watch);
    if (events == 0)
        peer->woken++;
    else
        peer->ready++;
    peer->events = events;

    if (peer->wakes_itself)
        smtp_poller_watch_wake (peer->watch);
    for (guint i = 0; peer->victims && i < peer->victims->len; i++)
        peer_unwatch (peer->victims->pdata[i]);
}

static void
peer_expired (gpointer user_data)
{
    Peer *peer = user_data;

    g_assert_nonnull (peer->watch);
    peer->expired++;
    peer->expired_usec = g_get_monotonic_time ();
    for (guint i = 0; peer->victims && i < peer->victims->len; i++)
        peer_unwatch (peer->victims->pdata[i]);
}

static Peer *
peer_new (SmtpPoller *poller, guint32 events)
{
    Peer *peer = g_new0 (Peer, 1);
    GError *error = NULL;
    int sockets[2];

    g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets));
    peer->poller = poller;
    peer->watched = sockets[0];
    peer->other = sockets[1];
    peer->watch = smtp_poller_add (poller, peer->watched, events, peer_ready, peer_expired, peer, &error);
    g_assert_no_error (error);

    return peer;
}

static void
peer_free (Peer *peer)
{
    peer_unwatch (peer);
    close (peer->watched);
    if (peer->other >= 0)
        close (peer->other);
    g_clear_pointer (&peer->victims, g_ptr_array_unref);
    g_free (peer);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Peer, peer_free)

static void
peer_write (Peer *peer)
{
    g_assert_cmpint (write (peer->other, "x", 1), ==, 1);
}

static SmtpPoller *
new_poller (void)
{
    GError *error = NULL;
    SmtpPoller *poller = smtp_poller_new (NULL, &error);

    g_assert_no_error (error);
    return poller;
}

static void
run_what_is_ready (void)
{
    while (g_main_context_iteration (NULL, FALSE))
        ;
}

static void
test_tells_what_is_ready (void)
{
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (Peer) peer = peer_new (poller, EPOLLIN);

    run_what_is_ready ();
    g_assert_cmpuint (peer->ready, ==, 0);

    peer_write (peer);
    g_main_context_iteration (NULL, TRUE);
    g_assert_cmpuint (peer->ready, ==, 1);
    g_assert_cmpuint (peer->events, ==, EPOLLIN);
}

static void
test_tells_again_while_unread (void)
{
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (Peer) peer = peer_new (poller, EPOLLIN);

    peer_write (peer);
    g_main_context_iteration (NULL, TRUE);
    g_main_context_iteration (NULL, TRUE);
    g_assert_cmpuint (peer->ready, ==, 2);
}

static void
test_events_can_be_changed (void)
{
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (Peer) peer = peer_new (poller, EPOLLIN);

    smtp_poller_watch_set_events (peer->watch, EPOLLIN | EPOLLOUT);
    g_main_context_iteration (NULL, TRUE);
    g_assert_cmpuint (peer->events, ==, EPOLLOUT);

    smtp_poller_watch_set_events (peer->watch, EPOLLIN);
    run_what_is_ready ();
    g_assert_cmpuint (peer->ready, ==, 1);
}

static void
test_without_events_hangup_is_silent (void)
{
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (Peer) peer = peer_new (poller, 0);

    close (peer->other);
    peer->other = -1;
    run_what_is_ready ();
    g_assert_cmpuint (peer->ready, ==, 0);

    smtp_poller_watch_set_events (peer->watch, EPOLLIN);
    g_main_context_iteration (NULL, TRUE);
    g_assert_cmpuint (peer->ready, ==, 1);
    g_assert_true (peer->events & EPOLLHUP);
}

static void
test_callback_may_remove_its_own_watch (void)
{
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (Peer) peer = peer_new (poller, EPOLLIN);

    peer->victims = g_ptr_array_new ();
    g_ptr_array_add (peer->victims, peer);
    peer_write (peer);
    g_main_context_iteration (NULL, TRUE);
    run_what_is_ready ();
    g_assert_cmpuint (peer->ready, ==, 1);
}

/* Whichever of the two is served first removes the other, whose event is in the same batch. */
static void
test_callback_may_remove_another_of_the_batch (void)
{
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (Peer) a = peer_new (poller, EPOLLIN);
    g_autoptr (Peer) b = peer_new (poller, EPOLLIN);

    a->victims = g_ptr_array_new ();
    b->victims = g_ptr_array_new ();
    g_ptr_array_add (a->victims, b);
    g_ptr_array_add (b->victims, a);
    peer_write (a);
    peer_write (b);

    g_main_context_iteration (NULL, TRUE);
    g_assert_cmpuint (a->ready + b->ready, ==, 1);
}

static void
test_callback_may_remove_another_that_was_woken (void)
{
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (Peer) a = peer_new (poller, EPOLLIN);
    g_autoptr (Peer) b = peer_new (poller, EPOLLIN);

    a->victims = g_ptr_array_new ();
    g_ptr_array_add (a->victims, b);
    smtp_poller_watch_wake (a->watch);
    smtp_poller_watch_wake (b->watch);

    g_main_context_iteration (NULL, TRUE);
    g_assert_cmpuint (a->woken, ==, 1);
    g_assert_cmpuint (b->woken, ==, 0);
}

static void
test_wake_calls_once (void)
{
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (Peer) peer = peer_new (poller, EPOLLIN);

    smtp_poller_watch_wake (peer->watch);
    smtp_poller_watch_wake (peer->watch);
    run_what_is_ready ();
    g_assert_cmpuint (peer->woken, ==, 1);
    g_assert_cmpuint (peer->ready, ==, 0);
}

static void
test_wake_works_without_events (void)
{
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (Peer) peer = peer_new (poller, 0);

    smtp_poller_watch_wake (peer->watch);
    run_what_is_ready ();
    g_assert_cmpuint (peer->woken, ==, 1);
}

static gboolean
count_turn (gpointer user_data)
{
    (*(guint *) user_data)++;
    return G_SOURCE_CONTINUE;
}

/* A source of the same priority runs once for each time that the watch wakes itself. */
static void
test_waking_oneself_leaves_others_their_turn (void)
{
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (Peer) peer = peer_new (poller, EPOLLIN);
    g_autoptr (Peer) other = peer_new (poller, EPOLLIN);
    guint turns = 0;
    guint source = g_idle_add_full (G_PRIORITY_DEFAULT, count_turn, &turns, NULL);

    peer->wakes_itself = TRUE;
    smtp_poller_watch_wake (peer->watch);
    peer_write (other);
    for (guint i = 0; i < 10; i++)
        g_main_context_iteration (NULL, FALSE);

    g_assert_cmpuint (peer->woken, ==, 10);
    g_assert_cmpuint (turns, ==, 10);
    g_assert_cmpuint (other->ready, >=, 9);
    g_source_remove (source);
}

/* More descriptors are ready than fit a batch: all are served within the turns that they need. */
static void
test_serves_all_of_many (void)
{
    enum { PEERS = 300 };
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (GPtrArray) peers = g_ptr_array_new_with_free_func ((GDestroyNotify) peer_free);
    guint served = 0;

    for (guint i = 0; i < PEERS; i++) {
        g_ptr_array_add (peers, peer_new (poller, EPOLLIN));
        peer_write (peers->pdata[i]);
    }
    for (guint i = 0; i < 4; i++)
        g_main_context_iteration (NULL, FALSE);
    for (guint i = 0; i < PEERS; i++)
        served += ((Peer *) peers->pdata[i])->ready > 0;

    g_assert_cmpuint (served, ==, PEERS);
}

static void
run_until_expired (Peer *peer)
{
    while (peer->expired == 0)
        g_main_context_iteration (NULL, TRUE);
}

static void
test_deadline_is_never_early (void)
{
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (Peer) peer = peer_new (poller, EPOLLIN);
    gint64 start = g_get_monotonic_time ();

    smtp_poller_watch_set_deadline (peer->watch, 1);
    run_until_expired (peer);
    g_assert_cmpint (peer->expired_usec - start, >=, G_USEC_PER_SEC);

    run_what_is_ready ();
    g_assert_cmpuint (peer->expired, ==, 1);
}

static void
test_deadline_can_be_moved_and_cleared (void)
{
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (Peer) moved = peer_new (poller, EPOLLIN);
    g_autoptr (Peer) cleared = peer_new (poller, EPOLLIN);
    g_autoptr (Peer) last = peer_new (poller, EPOLLIN);

    smtp_poller_watch_set_deadline (moved->watch, 1);
    smtp_poller_watch_set_deadline (cleared->watch, 1);
    smtp_poller_watch_set_deadline (moved->watch, 600);
    smtp_poller_watch_set_deadline (cleared->watch, 0);
    smtp_poller_watch_set_deadline (last->watch, 1);

    run_until_expired (last);
    g_assert_cmpuint (moved->expired, ==, 0);
    g_assert_cmpuint (cleared->expired, ==, 0);
}

/* A deadline in the same slot of the wheel, but rounds later. */
static void
test_deadline_beyond_the_wheel_waits (void)
{
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (Peer) far = peer_new (poller, EPOLLIN);
    g_autoptr (Peer) farthest = peer_new (poller, EPOLLIN);
    g_autoptr (Peer) near = peer_new (poller, EPOLLIN);

    smtp_poller_watch_set_deadline (near->watch, 1);
    smtp_poller_watch_set_deadline (far->watch, 1 + 1024);
    smtp_poller_watch_set_deadline (farthest->watch, G_MAXUINT);
    run_until_expired (near);
    g_assert_cmpuint (far->expired, ==, 0);
    g_assert_cmpuint (farthest->expired, ==, 0);
}

static void
test_expired_callback_may_remove_others_that_are_due (void)
{
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (Peer) a = peer_new (poller, EPOLLIN);
    g_autoptr (Peer) b = peer_new (poller, EPOLLIN);

    a->victims = g_ptr_array_new ();
    b->victims = g_ptr_array_new ();
    g_ptr_array_add (a->victims, b);
    g_ptr_array_add (b->victims, a);
    g_ptr_array_add (a->victims, a);
    g_ptr_array_add (b->victims, b);
    smtp_poller_watch_set_deadline (a->watch, 1);
    smtp_poller_watch_set_deadline (b->watch, 1);
    while (a->expired + b->expired == 0)
        g_main_context_iteration (NULL, TRUE);
    run_what_is_ready ();

    g_assert_cmpuint (a->expired + b->expired, ==, 1);
}

/* The loop is not called at all once the last deadline is gone, so that an idle machine sleeps. */
static void
test_without_deadlines_the_loop_sleeps (void)
{
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (Peer) peer = peer_new (poller, EPOLLIN);
    GMainContext *context = g_main_context_default ();
    gint timeout = 0;
    gint priority;

    g_assert_true (g_main_context_acquire (context));
    smtp_poller_watch_set_deadline (peer->watch, 1);
    run_until_expired (peer);

    g_main_context_prepare (context, &priority);
    g_main_context_query (context, priority, &timeout, NULL, 0);
    g_assert_cmpint (timeout, ==, -1);
    g_main_context_release (context);
}

static void
test_many_deadlines_cost_little (void)
{
    enum { PEERS = 200, ROUNDS = 5000 };
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (GPtrArray) peers = g_ptr_array_new_with_free_func ((GDestroyNotify) peer_free);
    gint64 start;

    for (guint i = 0; i < PEERS; i++)
        g_ptr_array_add (peers, peer_new (poller, EPOLLIN));

    start = g_get_monotonic_time ();
    for (guint round = 0; round < ROUNDS; round++)
        for (guint i = 0; i < PEERS; i++)
            smtp_poller_watch_set_deadline (((Peer *) peers->pdata[i])->watch, 300 + i);

    g_test_message ("%d deadlines set in %" G_GINT64_FORMAT " us", PEERS * ROUNDS, g_get_monotonic_time () - start);
    run_what_is_ready ();
    for (guint i = 0; i < PEERS; i++)
        g_assert_cmpuint (((Peer *) peers->pdata[i])->expired, ==, 0);
}

static void
test_watches_keep_the_poller_alive (void)
{
    SmtpPoller *poller = new_poller ();
    g_autoptr (Peer) peer = peer_new (poller, EPOLLIN);

    smtp_poller_unref (poller);
    peer_write (peer);
    g_main_context_iteration (NULL, TRUE);
    g_assert_cmpuint (peer->ready, ==, 1);
}

static void
test_a_file_cannot_be_watched (void)
{
    g_autoptr (SmtpPoller) poller = new_poller ();
    g_autoptr (GError) error = NULL;
    int fd = open ("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    g_assert_cmpint (fd, >=, 0);
    g_assert_null (smtp_poller_add (poller, fd, EPOLLIN, peer_ready, NULL, NULL, &error));
    g_assert_nonnull (error);
    close (fd);
}

int
main (int argc, char *argv[])
{
    g_test_init (&argc, &argv, NULL);

    g_test_add_func ("/smtp/poller/tells-what-is-ready", test_tells_what_is_ready);
    g_test_add_func ("/smtp/poller/tells-again-while-unread", test_tells_again_while_unread);
    g_test_add_func ("/smtp/poller/events-can-be-changed", test_events_can_be_changed);
    g_test_add_func ("/smtp/poller/without-events-a-hangup-is-silent", test_without_events_hangup_is_silent);
    g_test_add_func ("/smtp/poller/callback-may-remove-its-own-watch", test_callback_may_remove_its_own_watch);
    g_test_add_func ("/smtp/poller/callback-may-remove-another-of-the-batch",
                     test_callback_may_remove_another_of_the_batch);
    g_test_add_func ("/smtp/poller/callback-may-remove-another-that-was-woken",
                     test_callback_may_remove_another_that_was_woken);
    g_test_add_func ("/smtp/poller/wake-calls-once", test_wake_calls_once);
    g_test_add_func ("/smtp/poller/wake-works-without-events", test_wake_works_without_events);
    g_test_add_func ("/smtp/poller/waking-oneself-leaves-others-their-turn",
                     test_waking_oneself_leaves_others_their_turn);
    g_test_add_func ("/smtp/poller/serves-all-of-many", test_serves_all_of_many);
    g_test_add_func ("/smtp/poller/deadline-is-never-early", test_deadline_is_never_early);
    g_test_add_func ("/smtp/poller/deadline-can-be-moved-and-cleared", test_deadline_can_be_moved_and_cleared);
    g_test_add_func ("/smtp/poller/deadline-beyond-the-wheel-waits", test_deadline_beyond_the_wheel_waits);
    g_test_add_func ("/smtp/poller/expired-callback-may-remove-others-that-are-due",
                     test_expired_callback_may_remove_others_that_are_due);
    g_test_add_func ("/smtp/poller/without-deadlines-the-loop-sleeps", test_without_deadlines_the_loop_sleeps);
    g_test_add_func ("/smtp/poller/many-deadlines-cost-little", test_many_deadlines_cost_little);
    g_test_add_func ("/smtp/poller/watches-keep-the-poller-alive", test_watches_keep_the_poller_alive);
    g_test_add_func ("/smtp/poller/a-file-cannot-be-watched", test_a_file_cannot_be_watched);

    return g_test_run ();
}
