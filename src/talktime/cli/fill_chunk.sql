-- Everything of the customers in `fill_people`, in one transaction. The rule: the figures of a call, its hold and its
-- line come from one row of the stage, so they cannot disagree.
-- Each agent has three versions; calls cost 15 credits a minute, by the minute; all are of the last year.

INSERT INTO users (id, email, name, locale, created_at, email_confirmed_at)
SELECT user_id, email, 'Filled customer', CASE WHEN first_number % 2 = 0 THEN 'en' ELSE 'de' END,
    now() - interval '366 days', now() - interval '366 days'
FROM fill_people;

INSERT INTO agents (user_id, id, name, business, language, zone, active, published_version, created_at)
SELECT p.user_id, a.id, 'Reception ' || a.place, 'Filled business', 'en', 'Europe/Berlin', true, 3,
    now() - interval '366 days' + a.place * interval '1 minute'
FROM fill_people p CROSS JOIN LATERAL unnest(p.agents) WITH ORDINALITY a (id, place);

INSERT INTO agent_versions (user_id, agent_id, version_no, greeting, instructions, created_at)
SELECT p.user_id, a.id, v.no, 'Hello, this is an assistant. How can I help?',
    'Be brief. This is version ' || v.no || '.', now() - interval '366 days' + (v.no - 1) * interval '120 days'
FROM fill_people p CROSS JOIN LATERAL unnest(p.agents) a (id) CROSS JOIN generate_series(1, 3) v (no);

INSERT INTO phone_numbers (id, number, status, user_id, agent_id, carrier, carrier_number_id, created_at)
SELECT n.id, '+' || (p.first_number + n.place - 1), 'ASSIGNED', p.user_id, p.agents[n.place], 'twilio',
    'PN' || replace(n.id::text, '-', ''), now() - interval '366 days'
FROM fill_people p CROSS JOIN LATERAL unnest(p.numbers) WITH ORDINALITY n (id, place);

-- One call of a customer after the other, spread evenly over the year. Most are talked to; the others are never
-- answered, come after hours, find no credit, or end on a dead line.
INSERT INTO fill_calls
SELECT user_id,
    (lpad(to_hex((extract(epoch FROM started_at) * 1000)::bigint), 12, '0') || '7' || substr(noise, 1, 3) || '8'
        || substr(noise, 4, 15))::uuid,
    agents[place], 1 + least(2, (k - 1) * 3 / calls), numbers[place],
    -- So that two fills make different calls, and the carrier's names of them are in order for their index.
    current_setting('fill.carrier_calls') || lpad(to_hex(row_number() OVER ()), 10, '0'),
    CASE WHEN dice < 0.97 THEN '+4915' || lpad((caller_dice * caller_dice * 999999999)::bigint::text, 9, '0') END,
    '+' || (first_number + place - 1), kind, started_at, seconds,
    CASE WHEN seconds > 0 THEN credit_cost(seconds, 15, 0, 60, 60, 0) ELSE 0 END,
    CASE WHEN kind = 'talked' AND dice < 0.08 THEN 'message' END
FROM (
    SELECT c.*, 1 + (k * 7 + k / 11) % cardinality(agents) AS place,
        CASE WHEN kind IN ('talked', 'dead') THEN least(1200, 8 - ln(1 - length_dice) * 95)::integer ELSE 0 END
            AS seconds
    FROM (
        SELECT p.*, k, random() AS dice, random() AS caller_dice, random() AS length_dice,
            md5(random()::text || k) AS noise,
            now() - interval '365 days' + ((k - random()) / p.calls) * interval '364 days 23 hours' AS started_at,
            (array_fill('talked'::text, ARRAY[16]) || ARRAY['unanswered', 'after_hours', 'no_credit', 'dead'])
                [1 + floor(random() * 20)::integer] AS kind
        FROM fill_people p CROSS JOIN LATERAL generate_series(1, p.calls) k
    ) c
) d;

ANALYZE fill_people, fill_calls;

INSERT INTO calls (
    user_id, id, agent_id, agent_version, number_id, direction, carrier, carrier_call_id, caller, dialled, status,
    route, started_at, answered_at, ended_at, end_reason, seconds, carrier_seconds, summary, outcome, created_at
)
SELECT user_id, id, agent_id, agent_version, number_id, 'INBOUND', 'twilio', carrier_call_id, caller, dialled,
    (CASE kind WHEN 'unanswered' THEN 'NO_ANSWER' WHEN 'dead' THEN 'FAILED' ELSE 'COMPLETED' END)::call_status,
    CASE WHEN kind IN ('after_hours', 'no_credit') THEN kind ELSE 'talk' END, started_at,
    CASE WHEN seconds > 0 THEN started_at + interval '2 seconds' END,
    started_at + CASE WHEN seconds > 0 THEN (seconds + 2) * interval '1 second' ELSE interval '1 second' END,
    CASE kind WHEN 'talked' THEN 'caller_hung_up' WHEN 'unanswered' THEN 'caller_gave_up' WHEN 'dead' THEN 'line_dead'
        ELSE kind END,
    seconds, CASE WHEN kind IN ('talked', 'unanswered') THEN seconds END,
    CASE WHEN outcome IS NOT NULL THEN 'Somebody asks to be called back about an appointment.' END, outcome, started_at
FROM fill_calls ORDER BY user_id, started_at, id;

INSERT INTO call_directory (carrier, carrier_call_id, user_id, call_id, created_at)
SELECT 'twilio', carrier_call_id, user_id, id, started_at FROM fill_calls ORDER BY carrier_call_id;

INSERT INTO credit_holds (
    user_id, call_id, credits_per_minute, connection_fee, initial_seconds, increment_seconds, free_seconds, state,
    denied_reason, granted_seconds, used_seconds, held_peak, charged, lease_owner, cut_at, settled_at,
    settled_seconds, created_at
)
SELECT user_id, id, 15, 0, 60, 60, 0,
    (CASE WHEN kind = 'no_credit' THEN 'DENIED' WHEN seconds > 0 THEN 'SETTLED' ELSE 'RELEASED' END)::hold_state,
    CASE WHEN kind = 'no_credit' THEN kind END,
    CASE WHEN kind = 'no_credit' THEN 0 ELSE greatest(60, (seconds + 59) / 60 * 60) END, seconds,
    CASE WHEN kind = 'no_credit' THEN 0 ELSE greatest(15, charged) END, charged,
    CASE WHEN seconds > 0 THEN 'filled' END,
    CASE WHEN seconds > 0 THEN started_at + (seconds + 59) * interval '1 second' END,
    started_at + CASE WHEN seconds > 0 THEN (seconds + 2) * interval '1 second' ELSE interval '1 second' END,
    CASE WHEN kind <> 'no_credit' THEN seconds END, started_at
FROM fill_calls WHERE kind <> 'after_hours' ORDER BY user_id, id;

-- The first line gives what all calls cost and some more; then comes one line for each call, as it ended.
INSERT INTO credit_transactions (
    user_id, seq, type, amount, balance_after, call_id, reference, reason, actor_id, created_at, hash
)
SELECT user_id, seq, type, amount, balance_after, call_id, reference, reason, actor_id, created_at,
    pg_temp.fill_chain(
        user_id, seq, type, amount, balance_after, call_id, NULL, reference, reason, actor_id, created_at
    ) OVER (PARTITION BY user_id ORDER BY seq ROWS UNBOUNDED PRECEDING)
FROM (
    SELECT l.*, row_number() OVER chain AS seq, (sum(amount) OVER chain)::bigint AS balance_after
    FROM (
        SELECT p.user_id, 'ADMIN_ADJUSTMENT'::transaction_type AS type,
            1000 + coalesce(c.charged, 0)::bigint AS amount, NULL::uuid AS call_id, 'fill:start' AS reference,
            'filled' AS reason, p.user_id AS actor_id, now() - interval '366 days' AS created_at
        FROM fill_people p
        LEFT JOIN (SELECT user_id, sum(charged) AS charged FROM fill_calls GROUP BY user_id) c USING (user_id)
        UNION ALL
        SELECT user_id, 'CALL_USAGE', -charged, id, NULL, NULL, NULL, started_at + (seconds + 2) * interval '1 second'
        FROM fill_calls WHERE charged > 0
    ) l
    WINDOW chain AS (PARTITION BY user_id ORDER BY created_at, call_id NULLS FIRST ROWS UNBOUNDED PRECEDING)
) m;

INSERT INTO credit_accounts (user_id, balance, seq, head)
SELECT p.user_id, t.balance_after, t.seq, t.hash
FROM fill_people p CROSS JOIN LATERAL (
    SELECT x.balance_after, x.seq, x.hash FROM credit_transactions x
    WHERE x.user_id = p.user_id ORDER BY x.seq DESC LIMIT 1
) t;

-- What was said on every twenty-fifth call.
INSERT INTO call_turns (user_id, call_id, turn_no, speaker, text, began_ms, ended_ms, created_at)
SELECT c.user_id, c.id, t.no, (CASE WHEN t.no % 2 = 1 THEN 'AGENT' ELSE 'CALLER' END)::call_party,
    CASE WHEN t.no = 1 THEN 'Hello, this is an assistant. How can I help?'
        WHEN t.no % 2 = 1 THEN 'We are open from nine to six on weekdays. Is there anything else?'
        ELSE 'When are you open, and could somebody call me back about an appointment?' END,
    (t.no - 1) * 1500, t.no * 1500 - 200, c.started_at + t.no * interval '1500 milliseconds'
FROM (SELECT *, row_number() OVER (ORDER BY user_id, id) AS place FROM fill_calls WHERE seconds > 9) c
CROSS JOIN generate_series(1, 6) t (no)
WHERE c.place % 25 = 0;
