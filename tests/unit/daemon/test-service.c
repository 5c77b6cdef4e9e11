/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the service manager hears. */

#include "service.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
    gchar *folder;
    gchar *path;
    int fd;
    Service *service;
    const gchar *status;
    guint asked; /* how often the status was */
    gboolean has_watchdog;
} Fixture;

static void
write_status (GString *text, gpointer user_data)
{
    Fixture *fixture = user_data;

    fixture->asked++;
    g_string_append (text, fixture->status);
}

static void
set_up (Fixture *fixture, gconstpointer watchdog_usec)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    fixture->folder = g_dir_make_tmp ("postern-service-XXXXXX", NULL);
    fixture->path = g_build_filename (fixture->folder, "notify", NULL);
    fixture->fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_strlcpy (address.sun_path, fixture->path, sizeof address.sun_path);
    g_assert_no_errno (bind (fixture->fd, (struct sockaddr *) &address, sizeof address));

    g_setenv ("NOTIFY_SOCKET", fixture->path, TRUE);
    if (watchdog_usec != NULL)
        g_setenv ("WATCHDOG_USEC", watchdog_usec, TRUE);
    fixture->status = "all is well";
    fixture->service = service_new (write_status, fixture);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
    service_free (fixture->service);
    g_unsetenv ("NOTIFY_SOCKET");
    g_unsetenv ("WATCHDOG_USEC");
    close (fixture->fd);
    g_unlink (fixture->path);
    g_rmdir (fixture->folder);
    g_free (fixture->folder);
    g_free (fixture->path);
}

/* The next datagram, or NULL if none has come yet. */
static gchar *
heard (Fixture *fixture)
{
    gchar buffer[1024];
    gssize length = recv (fixture->fd, buffer, sizeof buffer, 0);

    return length >= 0 ? g_strndup (buffer, (gsize) length) : NULL;
}

static void
assert_heard (Fixture *fixture, const gchar *wanted)
{
    g_autofree gchar *text = heard (fixture);

    g_assert_cmpstr (text, ==, wanted);
}

static gchar *
wait_heard (Fixture *fixture)
{
    gchar *text;

    while ((text = heard (fixture)) == NULL)
        g_main_context_iteration (NULL, TRUE);
    return text;
}

static void
test_the_stages_of_life_are_told (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *reloading = NULL;

    service_ready (fixture->service);
    assert_heard (fixture, "READY=1\nSTATUS=all is well");

    service_reloading (fixture->service);
    reloading = heard (fixture);
    g_assert_true (g_str_has_prefix (reloading, "RELOADING=1\nMONOTONIC_USEC="));

    service_stopping (fixture->service);
    assert_heard (fixture, "STOPPING=1\nSTATUS=stopping");
}

static void
test_a_changed_status_is_told_once (Fixture *fixture, gconstpointer data)
{
    g_autofree gchar *text = NULL;

    service_ready (fixture->service);
    assert_heard (fixture, "READY=1\nSTATUS=all is well");
    fixture->asked = 0;

    fixture->status = "busy";
    for (guint i = 0; i < 1000; i++)
        service_touch (fixture->service);
    g_assert_cmpuint (fixture->asked, ==, 0);

    text = wait_heard (fixture);
    g_assert_cmpstr (text, ==, "STATUS=busy");
    g_assert_cmpuint (fixture->asked, ==, 1);
    assert_heard (fixture, NULL);
}

static void
test_an_unchanged_status_is_not_told (Fixture *fixture, gconstpointer data)
{
    service_ready (fixture->service);
    assert_heard (fixture, "READY=1\nSTATUS=all is well");

    service_touch (fixture->service);
    while (fixture->asked < 2)
        g_main_context_iteration (NULL, TRUE);
    assert_heard (fixture, NULL);
}

static void
test_the_watchdog_is_fed (Fixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < 3; i++) {
        g_autofree gchar *text = wait_heard (fixture);

        g_assert_cmpstr (text, ==, "WATCHDOG=1");
    }
}

static void
add (const gchar *name, void (*test) (Fixture *, gconstpointer), const gchar *watchdog_usec)
{
    g_autofree gchar *path = g_strconcat ("/daemon/service/", name, NULL);

    g_test_add (path, Fixture, watchdog_usec, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
    g_test_init (&argc, &argv, NULL);

    add ("the-stages-of-life-are-told", test_the_stages_of_life_are_told, NULL);
    add ("a-changed-status-is-told-once", test_a_changed_status_is_told_once, NULL);
    add ("an-unchanged-status-is-not-told", test_an_unchanged_status_is_not_told, NULL);
    add ("the-watchdog-is-fed", test_the_watchdog_is_fed, "20000");

    return g_test_run ();
}
