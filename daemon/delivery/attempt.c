/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * An attempt
 *
 * Goes with a job from the queue to a remote and back, maybe by way of several sessions, and keeps what was said about
 * each recipient. Replies decide for themselves (RFC 5321 4.2.1); everything else that can end an attempt only
 * defers. What follows from time and sender is decided in one place, delivery_attempt_judge ().
 */

#include "delivery/attempt.h"

#include "delivery/retry.h"

/* After a session broke in the middle of a message; doubles like every other delay. */
#define SHORT_FIRST_SECONDS 10

/* RFC 3463 3.5: delivery time expired. */
#define STATUS_EXPIRED "4.4.7"

/* What the configuration asks for: no more to be said, and an undefined policy (RFC 3463 3.1, 3.8). */
#define STATUS_DISCARDED "2.0.0"
#define STATUS_HELD      "4.7.0"

/* RFC 3463 3.4: other or undefined mail system status. */
#define STATUS_GIVEN_UP "5.3.0"

static const gchar *
address_of (const QueueJob *job, guint index)
{
    return message_envelope_recipient (job->message->envelope, job->recipients[index])->address;
}

/* Nobody is in an envelope twice, but for those who were redirected. Returns: (transfer full) (nullable) */
static GArray *
find_addressed (const QueueJob *job)
{
    g_autoptr (GHashTable) seen = NULL;
    gboolean redirected = FALSE;
    GArray *addressed;

    for (guint i = 0; i < job->n_recipients && !redirected; i++)
        redirected = queue_message_recipient (job->message, job->recipients[i])->redirect != NULL;
    if (!redirected || job->n_recipients == 1)
        return NULL;

    seen = g_hash_table_new (g_str_hash, g_str_equal);
    addressed = g_array_new (FALSE, FALSE, sizeof (guint));
    for (guint i = 0; i < job->n_recipients; i++)
        if (g_hash_table_add (seen, (gpointer) address_of (job, i)))
            g_array_append_val (addressed, job->recipients[i]);

    return addressed;
}

DeliveryAttempt *
delivery_attempt_new (QueueJob *job)
{
    DeliveryAttempt *attempt = g_new0 (DeliveryAttempt, 1);

    attempt->job = job;
    attempt->addressed = find_addressed (job);
    attempt->answers = g_new0 (DeliveryAnswer, job->n_recipients);
    return attempt;
}

static void
answer_clear (DeliveryAnswer *answer)
{
    g_clear_pointer (&answer->status, g_ref_string_release);
    g_clear_pointer (&answer->reply, g_ref_string_release);
    *answer = (DeliveryAnswer){.outcome = QUEUE_OUTCOME_UNTRIED};
}

static void
answer_set (DeliveryAnswer *answer, QueueOutcome outcome, const gchar *status, const gchar *reply, gboolean quotes)
{
    const DeliveryAnswer made = {
        .outcome = outcome, .status = g_ref_string_new (status), .reply = g_ref_string_new (reply), .quotes = quotes};

    answer_clear (answer);
    *answer = made;
}

/* Gives @answer the texts of @model, of which there may be thousands. */
static void
answer_share (DeliveryAnswer *answer, const DeliveryAnswer *model)
{
    const DeliveryAnswer made = {.outcome = model->outcome,
                                 .status = g_ref_string_acquire (model->status),
                                 .reply = g_ref_string_acquire (model->reply),
                                 .quotes = model->quotes};

    answer_clear (answer);
    *answer = made;
}

/* The same answer for all recipients, or for those that have none. */
static void
answer_many (DeliveryAttempt *attempt, gboolean all, QueueOutcome outcome, const gchar *status, const gchar *reply,
             gboolean quotes)
{
    const DeliveryAnswer *model = NULL;

    for (guint i = 0; i < attempt->job->n_recipients; i++) {
        DeliveryAnswer *answer = &attempt->answers[i];

        if (!all && answer->outcome != QUEUE_OUTCOME_UNTRIED)
            continue;
        if (model)
            answer_share (answer, model);
        else
            answer_set (answer, outcome, status, reply, quotes);
        model = answer;
    }
}

static void
forget_answers (DeliveryAttempt *attempt)
{
    for (guint i = 0; i < attempt->job->n_recipients; i++)
        answer_clear (&attempt->answers[i]);
}

void
delivery_attempt_free (DeliveryAttempt *attempt)
{
    g_return_if_fail (!attempt->job);

    g_clear_pointer (&attempt->addressed, g_array_unref);
    g_free (attempt->answers);
    g_free (attempt->host);
    g_free (attempt->address);
    g_free (attempt->remark);
    g_free (attempt);
}

void
delivery_attempt_start (DeliveryAttempt *attempt, const gchar *host, const gchar *address, gboolean passes_dsn)
{
    forget_answers (attempt);
    g_free (attempt->host);
    g_free (attempt->address);
    attempt->host = g_strdup (host);
    attempt->address = g_strdup (address);
    g_clear_pointer (&attempt->remark, g_free);
    attempt->passes_dsn = passes_dsn;
    attempt->size_most_bytes = 0;
    attempt->hint = 0;
    attempt->wait = DELIVERY_WAIT_BACKOFF;
}

void
delivery_attempt_remark (DeliveryAttempt *attempt, const gchar *remark)
{
    g_free (attempt->remark);
    attempt->remark = g_strdup (remark);
}

const gchar *
delivery_attempt_get_remark (const DeliveryAttempt *attempt)
{
    for (guint i = 0; attempt->remark && i < attempt->job->n_recipients; i++)
        if (attempt->answers[i].quotes)
            return attempt->remark;

    return NULL;
}

static DeliveryAnswer *
find_answer (DeliveryAttempt *attempt, guint recipient)
{
    const QueueJob *job = attempt->job;

    for (guint i = 0; i < job->n_recipients; i++) {
        guint at = (attempt->hint + i) % job->n_recipients;

        if (job->recipients[at] == recipient) {
            attempt->hint = at + 1;
            return &attempt->answers[at];
        }
    }

    return NULL;
}

const guint *
delivery_attempt_recipients (const DeliveryAttempt *attempt, guint most, guint *n_recipients)
{
    if (attempt->addressed) {
        *n_recipients = MIN (attempt->addressed->len, most);
        return (const guint *) (gpointer) attempt->addressed->data;
    }

    *n_recipients = MIN (attempt->job->n_recipients, most);
    return attempt->job->recipients;
}

static void
answer_twins (DeliveryAttempt *attempt, const DeliveryAnswer *answer)
{
    const QueueJob *job = attempt->job;
    const gchar *address = address_of (job, (guint) (answer - attempt->answers));

    for (guint i = 0; i < job->n_recipients; i++)
        if (&attempt->answers[i] != answer && g_str_equal (address_of (job, i), address))
            answer_share (&attempt->answers[i], answer);
}

/* A server says the same to most of them. */
static void
take_answer (DeliveryAttempt *attempt, DeliveryAnswer *answer, const DeliveryAnswer *said)
{
    const DeliveryAnswer *before = answer - 1;

    if (answer > attempt->answers && before->outcome == said->outcome && before->quotes == said->quotes &&
        g_str_equal (before->status, said->status) && g_str_equal (before->reply, said->reply))
        answer_share (answer, before);
    else
        answer_set (answer, said->outcome, said->status, said->reply, said->quotes);
}

void
delivery_attempt_answer (DeliveryAttempt *attempt, guint recipient, const SmtpReply *reply)
{
    static const gchar *const plain_status[] = {"2.0.0", "4.0.0", "5.0.0"};
    DeliveryAnswer *answer = find_answer (attempt, recipient);
    QueueOutcome outcome = QUEUE_OUTCOME_DELIVERED;
    const gchar *status = reply->status;
    g_autofree gchar *line = NULL;
    g_autofree gchar *ours = NULL;

    g_return_if_fail (answer);

    if (smtp_reply_is_temporary (reply))
        outcome = QUEUE_OUTCOME_DEFERRED;
    if (smtp_reply_is_permanent (reply))
        outcome = QUEUE_OUTCOME_FAILED;
    if (!status[0])
        status = plain_status[outcome == QUEUE_OUTCOME_DELIVERED ? 0 : outcome == QUEUE_OUTCOME_DEFERRED ? 1 : 2];

    line = smtp_reply_line (reply);
    if (reply->is_ours)
        ours = g_strdup_printf ("not sent to %s: %s", attempt->address, line);
    take_answer (
        attempt, answer,
        &(const DeliveryAnswer){
            .outcome = outcome, .status = (gchar *) status, .reply = ours ? ours : line, .quotes = !reply->is_ours});
    if (attempt->addressed)
        answer_twins (attempt, answer);
}

static const DeliveryAnswer *
first_with (const DeliveryAttempt *attempt, QueueOutcome outcome)
{
    for (guint i = 0; i < attempt->job->n_recipients; i++)
        if (attempt->answers[i].outcome == outcome)
            return &attempt->answers[i];

    return NULL;
}

void
delivery_attempt_end_part (DeliveryAttempt *attempt)
{
    const DeliveryAnswer *deferred = first_with (attempt, QUEUE_OUTCOME_DEFERRED);

    if (!deferred || first_with (attempt, QUEUE_OUTCOME_DELIVERED) || first_with (attempt, QUEUE_OUTCOME_FAILED))
        return;

    answer_many (attempt, FALSE, QUEUE_OUTCOME_DEFERRED, deferred->status, deferred->reply, deferred->quotes);
}

void
delivery_attempt_break (DeliveryAttempt *attempt, const DeliveryFailure *failure, DeliveryWait wait)
{
    attempt->wait = wait;
    answer_many (attempt, FALSE, QUEUE_OUTCOME_DEFERRED, failure->status, failure->reason, FALSE);
}

void
delivery_attempt_discard (DeliveryAttempt *attempt, const gchar *reason)
{
    attempt->is_told = TRUE;
    answer_many (attempt, TRUE, QUEUE_OUTCOME_DELIVERED, STATUS_DISCARDED, reason, FALSE);
}

void
delivery_attempt_fail (DeliveryAttempt *attempt, const gchar *reason)
{
    answer_many (attempt, TRUE, QUEUE_OUTCOME_FAILED, STATUS_GIVEN_UP, reason, FALSE);
}

void
delivery_attempt_hold (DeliveryAttempt *attempt, const gchar *reason)
{
    attempt->is_told = TRUE;
    attempt->wait = DELIVERY_WAIT_RELEASE;
    answer_many (attempt, TRUE, QUEUE_OUTCOME_DEFERRED, STATUS_HELD, reason, FALSE);
}

static gboolean
is_given_up (const DeliveryAnswer *answer)
{
    return answer->outcome == QUEUE_OUTCOME_FAILED || answer->outcome == QUEUE_OUTCOME_EXPIRED;
}

/* Returns: (transfer full): the reply in words of our own, which must say whose it is */
static gchar *
name_source (const DeliveryAttempt *attempt, const DeliveryAnswer *answer)
{
    return answer->quotes ? g_strdup_printf ("%s said: %s", attempt->address, answer->reply)
                          : g_strdup (answer->reply);
}

/* Says the replies of those with an outcome in words of our own, @before and @after what was said. Neighbours of whom the same was
 * said share the new words too. */
static void
reword (DeliveryAttempt *attempt, QueueOutcome from, QueueOutcome to, const gchar *status, const gchar *before,
        const gchar *after)
{
    DeliveryAnswer old = {.outcome = QUEUE_OUTCOME_UNTRIED}; /* what @model was */
    const DeliveryAnswer *model = NULL;

    for (guint i = 0; i < attempt->job->n_recipients; i++) {
        DeliveryAnswer *answer = &attempt->answers[i];
        g_autofree gchar *said = NULL;
        g_autofree gchar *words = NULL;

        if (answer->outcome != from)
            continue;
        if (model && old.status == answer->status && old.reply == answer->reply && old.quotes == answer->quotes) {
            answer_share (answer, model);
            continue;
        }

        said = name_source (attempt, answer);
        words = g_strconcat (before, said, after, NULL);
        answer_share (&old, answer);
        answer_set (answer, to, status ? status : old.status, words, FALSE);
        model = answer;
    }
    answer_clear (&old);
}

static void
defer_given_up (DeliveryAttempt *attempt)
{
    for (guint i = 0; i < attempt->job->n_recipients; i++)
        if (is_given_up (&attempt->answers[i]))
            attempt->answers[i].outcome = QUEUE_OUTCOME_DEFERRED;
}

void
delivery_attempt_take_back (DeliveryAttempt *attempt, const gchar *reason)
{
    g_autofree gchar *before = NULL;

    if (!reason) {
        defer_given_up (attempt);
        return;
    }

    before = g_strconcat (reason, "; ", NULL);
    reword (attempt, QUEUE_OUTCOME_FAILED, QUEUE_OUTCOME_DEFERRED, NULL, before, "");
    reword (attempt, QUEUE_OUTCOME_EXPIRED, QUEUE_OUTCOME_DEFERRED, NULL, before, "");
}

/* "5 days", "4 hours": the largest unit that says it without a fraction. */
static gchar *
describe_span (guint seconds)
{
    static const struct {
        guint seconds;
        const gchar *one;
        const gchar *many;
    } units[] = {{24 * 60 * 60, "day", "days"}, {60 * 60, "hour", "hours"}, {60, "minute", "minutes"}};

    for (guint i = 0; i < G_N_ELEMENTS (units); i++) {
        guint count = seconds / units[i].seconds;

        if (count > 0 && seconds % units[i].seconds == 0)
            return g_strdup_printf ("%u %s", count, count == 1 ? units[i].one : units[i].many);
    }

    return g_strdup_printf ("%u %s", seconds, seconds == 1 ? "second" : "seconds");
}

static void
expire (DeliveryAttempt *attempt, guint expire_seconds)
{
    g_autofree gchar *span = describe_span (expire_seconds);
    g_autofree gchar *before = g_strdup_printf ("could not be delivered within %s; the last reason: ", span);

    reword (attempt, QUEUE_OUTCOME_DEFERRED, QUEUE_OUTCOME_EXPIRED, STATUS_EXPIRED, before, "");
}

static guint
failed_attempts (const DeliveryAttempt *attempt)
{
    guint most = 0;

    for (guint i = 0; i < attempt->job->n_recipients; i++)
        most = MAX (most, queue_message_recipient (attempt->job->message, attempt->job->recipients[i])->attempts);

    return most + 1;
}

/* The last attempt falls on the end of the lifetime, not after it. */
static gint64
next_attempt_usec (const DeliveryAttempt *attempt, const DeliverySettings *settings, gint64 expiry_usec,
                   gint64 now_usec, gdouble jitter)
{
    guint first = settings->retry_first_seconds;
    guint delay_seconds;
    gint64 next_usec;

    if (attempt->wait == DELIVERY_WAIT_LANE)
        return QUEUE_NEXT_WITH_LANE;
    if (attempt->wait == DELIVERY_WAIT_SHORT)
        first = MIN (first, SHORT_FIRST_SECONDS);

    delay_seconds =
        delivery_retry_seconds (failed_attempts (attempt), first, settings->retry_longest_seconds, jitter);
    next_usec = now_usec + delivery_usec (delay_seconds);
    return MIN (next_usec, MAX (expiry_usec, now_usec + G_USEC_PER_SEC));
}

/* Whether it may be the content that was refused, by what the status says (RFC 3463 3): not the address, the mailbox or
 * the way to it. */
static gboolean
is_about_content (const gchar *status)
{
    static const gchar *const others[] = {"5.1.", "5.2.0", "5.2.1", "5.2.2", "5.2.4", "5.4."};

    for (guint i = 0; i < G_N_ELEMENTS (others); i++)
        if (g_str_has_prefix (status, others[i]))
            return FALSE;

    return TRUE;
}

/* Whether it is a notice of our own, for which a smaller one can be sent to all who refused it. */
static gboolean
may_be_renewed (const DeliveryAttempt *attempt)
{
    if (g_strcmp0 (attempt->job->message->origin.protocol, QUEUE_PROTOCOL_NOTICE) != 0)
        return FALSE;

    for (guint i = 0; i < attempt->job->n_recipients; i++)
        if (is_given_up (&attempt->answers[i]) &&
            (attempt->answers[i].outcome != QUEUE_OUTCOME_FAILED || !is_about_content (attempt->answers[i].status)))
            return FALSE;

    return TRUE;
}

void
delivery_attempt_renew (DeliveryAttempt *attempt, gboolean renewed)
{
    attempt->renew = FALSE;
    attempt->hold = !renewed;
    if (!renewed) {
        delivery_attempt_take_back (attempt, NULL);
        return;
    }

    reword (attempt, QUEUE_OUTCOME_FAILED, QUEUE_OUTCOME_FAILED, NULL, "",
            "; the notice is sent once more, with the header alone");
}

void
delivery_attempt_judge (DeliveryAttempt *attempt, const DeliverySettings *settings, gint64 now_usec, gdouble jitter)
{
    const QueueMessage *message = attempt->job->message;
    gint64 expiry_usec = message->arrival_usec + delivery_usec (settings->expire_seconds);
    guint given_up;

    if (attempt->wait == DELIVERY_WAIT_RELEASE) {
        attempt->hold = TRUE;
        return;
    }
    if (now_usec >= expiry_usec)
        expire (attempt, settings->expire_seconds);

    given_up = delivery_attempt_count (attempt, QUEUE_OUTCOME_FAILED) +
               delivery_attempt_count (attempt, QUEUE_OUTCOME_EXPIRED);
    if (given_up > 0 && !message->envelope->sender[0]) {
        attempt->hold = delivery_attempt_count (attempt, QUEUE_OUTCOME_UNTRIED) == 0; /* these first */
        attempt->renew = attempt->hold && may_be_renewed (attempt);
        if (!attempt->renew)
            delivery_attempt_take_back (attempt, NULL);
    }

    attempt->next_usec = next_attempt_usec (attempt, settings, expiry_usec, now_usec, jitter);
}

guint
delivery_attempt_count (const DeliveryAttempt *attempt, QueueOutcome outcome)
{
    guint count = 0;

    for (guint i = 0; i < attempt->job->n_recipients; i++)
        count += attempt->answers[i].outcome == outcome;

    return count;
}

/* What is held keeps its reason, which nobody else would tell. */
static QueueOutcome
recorded_outcome (const DeliveryAttempt *attempt, QueueOutcome outcome)
{
    if (outcome == QUEUE_OUTCOME_DEFERRED && attempt->passed_over && !attempt->hold)
        return QUEUE_OUTCOME_UNTRIED;

    return outcome;
}

/* The remote that it is, or was last, tried at; what is given up by our own decision has none that had a part in it. */
static const gchar *
responsible_remote (const DeliveryAttempt *attempt, const DeliveryAnswer *answer)
{
    return is_given_up (answer) && !answer->quotes ? NULL : attempt->address;
}

void
delivery_attempt_settle (DeliveryAttempt *attempt, Queue *queue)
{
    guint n_recipients = attempt->job->n_recipients;
    g_autofree QueueResult *results = g_new0 (QueueResult, n_recipients);

    for (guint i = 0; i < n_recipients; i++)
        results[i] = (QueueResult){.outcome = recorded_outcome (attempt, attempt->answers[i].outcome),
                                   .delay_notified = attempt->answers[i].delay_notified,
                                   .remote = responsible_remote (attempt, &attempt->answers[i]),
                                   .status = attempt->answers[i].status,
                                   .reply = attempt->answers[i].reply,
                                   .is_ours = !attempt->answers[i].quotes};

    queue_settle (queue, g_steal_pointer (&attempt->job), results, attempt->next_usec, attempt->hold);

    for (guint i = 0; i < n_recipients; i++)
        answer_clear (&attempt->answers[i]);
}

void
delivery_attempt_put_back (QueueJob *job, Queue *queue)
{
    DeliveryAttempt *attempt = job ? delivery_attempt_new (job) : NULL;

    if (!attempt)
        return;

    delivery_attempt_settle (attempt, queue);
    delivery_attempt_free (attempt);
}
