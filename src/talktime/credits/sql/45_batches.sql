-- Many at once: each account is locked once, in the order of the keys, and written once. The answers are those that the
-- single functions would have given one after the other, in the order of the arrays; one bad item refuses the whole batch.

-- Make the missing accounts of so many users, and lock all, in order; gives them as they are.
CREATE FUNCTION credit_lock_many(p_users uuid[]) RETURNS credit_accounts[]
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_user uuid;
    v_accounts credit_accounts[];
BEGIN
    IF current_setting('role') <> 'talktime_everyone' THEN
        FOREACH v_user IN ARRAY p_users LOOP
            PERFORM assert_tenant(v_user);
        END LOOP;
    END IF;
    FOR attempt IN 1..2 LOOP
        -- (As rows of the table's type: an array of bare records would be turned into one by way of its text.)
        SELECT array_agg(a.account) INTO v_accounts FROM (
            SELECT c AS account FROM credit_accounts c WHERE c.user_id = ANY (p_users) ORDER BY c.user_id FOR NO KEY UPDATE
        ) a;
        EXIT WHEN cardinality(v_accounts) = (SELECT count(DISTINCT u) FROM unnest(p_users) u);
        -- Rare, and only before a user's first posting; the rows are then locked in the same order as everywhere.
        INSERT INTO credit_accounts (user_id) SELECT DISTINCT u FROM unnest(p_users) u ORDER BY u ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN v_accounts;
END
$$;

-- Append lines to many ledgers, in the order of their `seq` (any rising number does); numbers, balances, times and hashes
-- are filled in here, and each account's balance, number and head follow. The accounts are locked and given as they are;
-- `held`, `open_calls` and the day's sums are the caller's to write.
CREATE FUNCTION credit_append_many(p_accounts credit_accounts[], p_lines credit_transactions[])
RETURNS SETOF credit_transactions LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    RETURN QUERY
    WITH RECURSIVE line AS MATERIALIZED (
        SELECT l.*, row_number() OVER (PARTITION BY l.user_id ORDER BY l.seq) AS step FROM unnest(p_lines) l
    ), account AS MATERIALIZED (
        SELECT a.user_id, a.seq, a.balance, a.head, a.low_balance FROM unnest(p_accounts) a
    ), chain AS (
        SELECT l.user_id, l.step, a.seq + 1 AS seq, l.type, l.amount, a.balance + l.amount AS balance_after, l.call_id,
            l.reference, l.reason, l.actor_id,
            credit_line_hash(a.head, l.user_id, a.seq + 1, l.type, l.amount, a.balance + l.amount, l.call_id, NULL,
                             l.reference, l.reason, l.actor_id, v_now) AS hash
        FROM line l JOIN account a ON a.user_id = l.user_id WHERE l.step = 1
        UNION ALL
        SELECT l.user_id, l.step, c.seq + 1, l.type, l.amount, c.balance_after + l.amount, l.call_id,
            l.reference, l.reason, l.actor_id,
            credit_line_hash(c.hash, l.user_id, c.seq + 1, l.type, l.amount, c.balance_after + l.amount, l.call_id, NULL,
                             l.reference, l.reason, l.actor_id, v_now)
        FROM chain c JOIN line l ON l.user_id = c.user_id AND l.step = c.step + 1
    ), low AS (
        INSERT INTO notices (user_id, id, kind, subject, detail)
        SELECT c.user_id, gen_random_uuid(), 'low_balance', c.seq::text,
            jsonb_build_object('balance', c.balance_after, 'threshold', a.low_balance)
        FROM chain c JOIN account a ON a.user_id = c.user_id
        WHERE a.low_balance > c.balance_after AND a.low_balance <= c.balance_after - c.amount
        ON CONFLICT DO NOTHING
    ), last AS (
        SELECT DISTINCT ON (c.user_id) c.user_id, c.seq, c.balance_after, c.hash FROM chain c ORDER BY c.user_id, c.seq DESC
    ), stored AS (
        -- Debt is what is missing to the grace line; who may make it grow was decided before.
        UPDATE credit_accounts a SET balance = l.balance_after, seq = l.seq, head = l.hash,
            clawback_debt = greatest(0, -a.grace_limit - (l.balance_after - a.held))
        FROM last l WHERE a.user_id = l.user_id
    )
    INSERT INTO credit_transactions (
        user_id, seq, type, amount, balance_after, call_id, purchase_id, reference, reason, actor_id, created_at, hash
    )
    SELECT c.user_id, c.seq, c.type, c.amount, c.balance_after, c.call_id, NULL, c.reference, c.reason, c.actor_id, v_now, c.hash
    FROM chain c ORDER BY c.user_id, c.seq
    RETURNING credit_transactions.*;
END
$$;

-- Many adjustments by one actor. See adjust_v1.
CREATE FUNCTION post_many_v1(
    p_users uuid[], p_references text[], p_amounts bigint[], p_reasons text[], p_actor uuid, p_as_debt boolean DEFAULT false
) RETURNS TABLE (user_id uuid, reference text, fresh boolean, seq bigint, amount bigint, balance_after bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_size integer := cardinality(p_users);
    v_now timestamptz;
    v_bad text;
    v_accounts credit_accounts[];
    v_known credit_transactions[];
    v_lines credit_transactions[];
BEGIN
    IF v_size IS NULL OR v_size NOT BETWEEN 1 AND 10000 OR cardinality(p_references) IS DISTINCT FROM v_size
        OR cardinality(p_amounts) IS DISTINCT FROM v_size OR cardinality(p_reasons) IS DISTINCT FROM v_size
        OR array_position(p_users, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'a batch is 1 to 10,000 items, each with a user, a reference, an amount and a reason'
            USING ERRCODE = 'TT422';
    END IF;
    SELECT CASE
        WHEN p_actor IS NULL OR coalesce(i.reference, '') !~ '\S' OR coalesce(i.reason, '') !~ '\S'
            THEN format('item %s: an adjustment needs a reference, a reason and who makes it', i.place)
        WHEN i.reference ~ '^(correction|rent|refund|dispute|payout):'
            THEN format('item %s: references beginning with %s are the system''s own', i.place, split_part(i.reference, ':', 1))
        ELSE format('item %s: an adjustment is 1 to 1,000,000,000,000 credits either way, not %s', i.place, i.amount)
    END INTO v_bad
    FROM unnest(p_references, p_amounts, p_reasons) WITH ORDINALITY i (reference, amount, reason, place)
    -- (A pattern costs more than all else of an item; words that begin with a visible sign need none.)
    WHERE p_actor IS NULL
        OR (ascii(i.reference) BETWEEN 33 AND 126 OR i.reference ~ '\S') IS NOT TRUE
        OR (ascii(i.reason) BETWEEN 33 AND 126 OR i.reason ~ '\S') IS NOT TRUE
        OR strpos(i.reference, ':') > 0 AND i.reference ~ '^(correction|rent|refund|dispute|payout):'
        OR i.amount IS NULL OR i.amount = 0 OR i.amount NOT BETWEEN -1000000000000 AND 1000000000000
    ORDER BY i.place LIMIT 1;
    IF v_bad IS NOT NULL THEN
        RAISE EXCEPTION '%', v_bad USING ERRCODE = 'TT422';
    END IF;
    v_accounts := credit_lock_many(p_users);

    -- What stands in the ledgers already. Nearly always that is nothing, and then nothing more is asked about it.
    SELECT array_agg(t) INTO v_known
    FROM unnest(p_users, p_references) i (user_id, reference)
    JOIN credit_transactions t ON t.user_id = i.user_id AND t.reference = i.reference;
    IF v_known IS NULL AND cardinality(v_accounts) = v_size AND (p_as_debt OR NOT 0 > ANY (p_amounts)) IS TRUE THEN
        -- Each is another customer's, and nothing is taken that might not be free: no line follows another of the batch.
        v_now := clock_timestamp();
        RETURN QUERY
        WITH line AS MATERIALIZED (
            SELECT i.place, i.user_id, a.seq + 1 AS seq, i.amount, a.balance + i.amount AS balance_after, i.reference, i.reason,
                a.low_balance, credit_line_hash(
                    a.head, i.user_id, a.seq + 1, 'ADMIN_ADJUSTMENT', i.amount, a.balance + i.amount, NULL, NULL, i.reference,
                    i.reason, p_actor, v_now
                ) AS hash
            FROM unnest(p_users, p_references, p_amounts, p_reasons) WITH ORDINALITY i (user_id, reference, amount, reason, place)
            JOIN unnest(v_accounts) a ON a.user_id = i.user_id
        ), low AS (
            INSERT INTO notices (user_id, id, kind, subject, detail)
            SELECT l.user_id, gen_random_uuid(), 'low_balance', l.seq::text,
                jsonb_build_object('balance', l.balance_after, 'threshold', l.low_balance)
            FROM line l WHERE l.low_balance > l.balance_after AND l.low_balance <= l.balance_after - l.amount
            ON CONFLICT DO NOTHING
        ), stored AS (
            UPDATE credit_accounts a SET balance = l.balance_after, seq = l.seq, head = l.hash,
                clawback_debt = greatest(0, a.held - a.grace_limit - l.balance_after)
            FROM line l WHERE a.user_id = l.user_id
        ), posted AS (
            INSERT INTO credit_transactions (
                user_id, seq, type, amount, balance_after, reference, reason, actor_id, created_at, hash
            )
            SELECT l.user_id, l.seq, 'ADMIN_ADJUSTMENT', l.amount, l.balance_after, l.reference, l.reason, p_actor, v_now, l.hash
            FROM line l
        )
        SELECT l.user_id, l.reference, true, l.seq, l.amount, l.balance_after FROM line l ORDER BY l.place;
        RETURN;
    END IF;
    IF v_known IS NOT NULL THEN
        SELECT format('item %s: reference %s was used for another line', i.place, i.reference) INTO v_bad
        FROM unnest(p_users, p_references, p_amounts, p_reasons) WITH ORDINALITY i (user_id, reference, amount, reason, place)
        JOIN unnest(v_known) t ON t.user_id = i.user_id AND t.reference = i.reference
        WHERE t.type <> 'ADMIN_ADJUSTMENT' OR t.amount <> i.amount OR t.reason <> i.reason OR t.actor_id IS DISTINCT FROM p_actor
        ORDER BY i.place LIMIT 1;
        IF v_bad IS NOT NULL THEN
            RAISE EXCEPTION '%', v_bad USING ERRCODE = 'TT409';
        END IF;
    END IF;
    SELECT format('reference %s stands twice in the batch, for different lines', i.reference) INTO v_bad
    FROM unnest(p_users, p_references, p_amounts, p_reasons) i (user_id, reference, amount, reason)
    GROUP BY i.user_id, i.reference HAVING min(i.amount) <> max(i.amount) OR min(i.reason) <> max(i.reason) LIMIT 1;
    IF v_bad IS NOT NULL THEN
        RAISE EXCEPTION '%', v_bad USING ERRCODE = 'TT409';
    END IF;

    -- A reference that stands twice is one line, in the place of the first.
    SELECT array_agg(ROW(
        i.user_id, i.place, 'ADMIN_ADJUSTMENT', i.amount, 0, NULL, NULL, i.reference, i.reason, p_actor, NULL, NULL
    )::credit_transactions) INTO v_lines
    FROM (
        SELECT x.user_id, x.reference, min(x.place) AS place, min(x.amount) AS amount, min(x.reason) AS reason
        FROM unnest(p_users, p_references, p_amounts, p_reasons) WITH ORDINALITY x (user_id, reference, amount, reason, place)
        GROUP BY x.user_id, x.reference
    ) i
    WHERE v_known IS NULL OR NOT EXISTS (
        SELECT FROM unnest(v_known) t WHERE t.user_id = i.user_id AND t.reference = i.reference
    );

    IF p_as_debt IS NOT TRUE AND 0 > ANY (p_amounts) THEN
        SELECT format('item %s: only %s credits are free to be taken, not %s', r.seq, greatest(0, r.free - r.amount), -r.amount)
        INTO v_bad
        FROM (
            SELECT l.seq, l.amount, a.balance - a.held + sum(l.amount) OVER (PARTITION BY l.user_id ORDER BY l.seq) AS free
            FROM unnest(v_lines) l JOIN unnest(v_accounts) a ON a.user_id = l.user_id
        ) r
        WHERE r.amount < 0 AND r.free < 0 ORDER BY r.seq LIMIT 1;
        IF v_bad IS NOT NULL THEN
            RAISE EXCEPTION '%', v_bad USING ERRCODE = 'TT402';
        END IF;
    END IF;

    RETURN QUERY
    WITH posted AS (
        SELECT t.user_id, t.reference, true AS fresh, t.seq, t.amount, t.balance_after
        FROM credit_append_many(v_accounts, v_lines) t
        UNION ALL
        SELECT DISTINCT t.user_id, t.reference, false, t.seq, t.amount, t.balance_after FROM unnest(v_known) t
    )
    SELECT i.user_id, i.reference, p.fresh AND i.nth = 1, p.seq, p.amount, p.balance_after
    FROM (
        SELECT x.*, row_number() OVER (PARTITION BY x.user_id, x.reference ORDER BY x.place) AS nth
        FROM unnest(p_users, p_references) WITH ORDINALITY x (user_id, reference, place)
    ) i
    JOIN posted p ON p.user_id = i.user_id AND p.reference = i.reference
    ORDER BY i.place;
END
$$;

-- Many calls are over. See settle_v1.
CREATE FUNCTION settle_many_v1(p_users uuid[], p_calls uuid[], p_seconds integer[])
RETURNS TABLE (
    user_id uuid, call_id uuid, fresh boolean, state hold_state, charged bigint, unbilled bigint, balance bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_size integer := cardinality(p_users);
    v_now timestamptz;
    v_missing uuid;
    v_accounts credit_accounts[];
    v_lines credit_transactions[];
    v_places bigint[];
    v_charges bigint[];
BEGIN
    IF v_size IS NULL OR v_size NOT BETWEEN 1 AND 10000 OR cardinality(p_calls) IS DISTINCT FROM v_size
        OR cardinality(p_seconds) IS DISTINCT FROM v_size OR array_position(p_users, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'a batch is 1 to 10,000 calls, each with its user and its seconds' USING ERRCODE = 'TT422';
    END IF;
    IF EXISTS (SELECT FROM unnest(p_seconds) s WHERE s IS NULL OR s NOT BETWEEN 0 AND 1000000) THEN
        RAISE EXCEPTION 'a call lasts 0 to 1,000,000 seconds' USING ERRCODE = 'TT422';
    END IF;
    v_accounts := credit_lock_many(p_users);
    PERFORM FROM credit_holds h JOIN unnest(p_users, p_calls) i (user_id, call_id) USING (user_id, call_id)
    ORDER BY h.user_id, h.call_id FOR NO KEY UPDATE OF h;
    SELECT i.call_id INTO v_missing FROM unnest(p_users, p_calls) i (user_id, call_id)
    LEFT JOIN credit_holds h ON h.user_id = i.user_id AND h.call_id = i.call_id WHERE h.call_id IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'no hold for call %', v_missing USING ERRCODE = 'TT404';
    END IF;

    v_now := clock_timestamp();
    -- Where nothing is open, nothing changes, as when one is settled again.
    PERFORM credit_turn_day(o.user_id) FROM (
        SELECT DISTINCT a.user_id FROM unnest(v_accounts) a
        JOIN unnest(p_users, p_calls) i (user_id, call_id) ON i.user_id = a.user_id
        JOIN credit_holds h ON h.user_id = i.user_id AND h.call_id = i.call_id AND h.settled_at IS NULL
        WHERE (a.spent_until > v_now) IS NOT TRUE
    ) o;
    -- What each still open call costs, and how much of it the balance covers when those before it are paid. A call that
    -- stands twice is settled by its first.
    WITH open AS MATERIALIZED (
        SELECT DISTINCT ON (h.user_id, h.call_id) h.*, i.place, i.seconds,
            CASE WHEN h.lease_owner IS NULL THEN 0 ELSE credit_cost(
                i.seconds, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, h.free_seconds
            ) END AS rated
        FROM unnest(p_users, p_calls, p_seconds) WITH ORDINALITY i (user_id, call_id, seconds, place)
        JOIN credit_holds h ON h.user_id = i.user_id AND h.call_id = i.call_id AND h.settled_at IS NULL
        ORDER BY h.user_id, h.call_id, i.place
    ), priced AS MATERIALIZED (
        SELECT o.*, least(o.rated, o.held) AS charge,
            a.balance - sum(least(o.rated, o.held)) OVER (PARTITION BY o.user_id ORDER BY o.place) AS balance_after
        FROM open o JOIN unnest(v_accounts) a ON a.user_id = o.user_id
    ), hold AS (
        UPDATE credit_holds h SET
            state = CASE WHEN p.lease_owner IS NULL THEN 'RELEASED' ELSE 'SETTLED' END::hold_state, held = 0,
            charged = p.charge, unbilled = p.rated - p.charge, settled_at = v_now, settled_seconds = p.seconds
        FROM priced p WHERE h.user_id = p.user_id AND h.call_id = p.call_id
    ), account AS (
        UPDATE credit_accounts a SET
            held = a.held - s.held, open_calls = a.open_calls - s.opened,
            -- Credits that are free again pay debt, also where no line follows.
            clawback_debt = least(a.clawback_debt, greatest(0, -a.grace_limit - (a.balance - a.held + s.held))),
            spent_today = greatest(0, a.spent_today + s.charge - s.held)
        FROM (
            SELECT p.user_id, sum(p.held) AS held, sum(p.charge) AS charge,
                count(*) FILTER (WHERE p.state IN ('AUTHORISED', 'ACTIVE', 'FINAL')) AS opened
            FROM priced p GROUP BY p.user_id
        ) s WHERE a.user_id = s.user_id
    ), told AS (
        INSERT INTO alerts (id, kind, user_id, detail)
        SELECT gen_random_uuid(), 'call_unbilled', p.user_id, jsonb_build_object('call_id', p.call_id, 'credits', p.rated - p.charge)
        FROM priced p WHERE p.rated > p.charge
    ), line AS (
        SELECT p.user_id, p.place * 2 + l.half AS seq, l.type, -l.amount AS amount, p.call_id
        FROM priced p CROSS JOIN LATERAL (VALUES
            (0, 'CALL_USAGE', least(p.charge, greatest(p.balance_after + p.charge, 0))),
            (1, 'GRACE_USAGE', p.charge - least(p.charge, greatest(p.balance_after + p.charge, 0)))
        ) l (half, type, amount) WHERE l.amount > 0
    )
    SELECT
        (SELECT array_agg(ROW(
            l.user_id, l.seq, l.type, l.amount, 0, l.call_id, NULL, NULL, NULL, NULL, NULL, NULL
        )::credit_transactions) FROM line l),
        (SELECT array_agg(p.place ORDER BY p.place) FROM priced p),
        (SELECT array_agg(p.charge ORDER BY p.place) FROM priced p)
    INTO v_lines, v_places, v_charges;
    PERFORM credit_append_many(v_accounts, v_lines);

    RETURN QUERY
    -- Each balance is the one that its own item left: what those after it charge is added back.
    SELECT i.user_id, i.call_id, s.place IS NOT NULL, h.state, h.charged, h.unbilled, (a.balance + coalesce(sum(s.charge) OVER (
        PARTITION BY i.user_id ORDER BY i.place ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
    ), 0))::bigint
    FROM unnest(p_users, p_calls) WITH ORDINALITY i (user_id, call_id, place)
    JOIN credit_holds h ON h.user_id = i.user_id AND h.call_id = i.call_id
    JOIN credit_accounts a ON a.user_id = i.user_id
    LEFT JOIN unnest(v_places, v_charges) s (place, charge) ON s.place = i.place
    ORDER BY i.place;
END
$$;

-- More time for many calls of one process. See extend_v1. The plain ones go together: running, not lost, not cut, nothing
-- blocked or guarded, and credit enough for all of a customer's. The others are asked one by one, so that those that
-- share the last credits share them in order. A call that is not the process's own says `not_owner`, an unknown one
-- `no_hold`: one stray item spoils no other.
CREATE FUNCTION extend_many_v1(
    p_owner text, p_users uuid[], p_calls uuid[], p_request_nos integer[], p_slice_seconds integer DEFAULT 60
) RETURNS TABLE (
    user_id uuid, call_id uuid, extended boolean, state hold_state, granted_seconds integer, cut_at timestamptz, held bigint,
    reason text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_size integer := cardinality(p_users);
    v_now timestamptz;
    v_accounts credit_accounts[];
    v_plain uuid[];
    v_item record;
BEGIN
    IF v_size IS NULL OR v_size NOT BETWEEN 1 AND 10000 OR cardinality(p_calls) IS DISTINCT FROM v_size
        OR cardinality(p_request_nos) IS DISTINCT FROM v_size OR array_position(p_users, NULL) IS NOT NULL
        OR array_position(p_request_nos, NULL) IS NOT NULL OR 1 > ANY (p_request_nos)
        OR p_slice_seconds NOT BETWEEN 1 AND 3600
        OR v_size <> (SELECT count(DISTINCT (u, c)) FROM unnest(p_users, p_calls) i (u, c)) THEN
        RAISE EXCEPTION 'a batch is 1 to 10,000 different calls, each with its user and a number from 1 up, for 1 to 3600 seconds'
            USING ERRCODE = 'TT422';
    END IF;
    v_accounts := credit_lock_many(p_users);
    PERFORM FROM credit_holds h JOIN unnest(p_users, p_calls) i (user_id, call_id) USING (user_id, call_id)
    ORDER BY h.user_id, h.call_id FOR NO KEY UPDATE OF h;
    v_now := clock_timestamp();

    -- Users all of whose calls in the batch are plain.
    SELECT array_agg(w.user_id) INTO v_plain FROM (
        SELECT i.user_id FROM unnest(p_users, p_calls, p_request_nos) i (user_id, call_id, request_no)
        JOIN credit_accounts a ON a.user_id = i.user_id
        LEFT JOIN credit_holds h ON h.user_id = i.user_id AND h.call_id = i.call_id
        GROUP BY i.user_id, a.user_id
        HAVING bool_and(
            h.lease_owner IS NOT DISTINCT FROM p_owner AND h.state IN ('ACTIVE', 'FINAL') AND h.cut_claimed_at IS NULL
            AND i.request_no > h.request_no
            AND a.blocked_reason IS NULL AND a.clawback_debt = 0
            AND a.day_limit IS NULL AND a.call_limit IS NULL AND a.caller_limit IS NULL
        ) IS TRUE AND sum(credit_cost(
            h.granted_seconds + credit_steps(p_slice_seconds, h.increment_seconds), h.credits_per_minute, h.connection_fee,
            h.initial_seconds, h.increment_seconds, 0
        ) - h.held) <= greatest(0, min(a.balance - a.held + a.grace_limit))
    ) w;
    PERFORM credit_turn_day(a.user_id) FROM unnest(v_accounts) a
    WHERE a.user_id = ANY (v_plain) AND (a.spent_until > v_now) IS NOT TRUE;
    RETURN QUERY
    WITH wish AS (
        SELECT h.user_id, h.call_id, i.request_no, h.held AS held_before, g.granted, credit_cost(
            g.granted, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, 0
        ) AS held
        FROM unnest(p_users, p_calls, p_request_nos) i (user_id, call_id, request_no)
        JOIN credit_holds h ON h.user_id = i.user_id AND h.call_id = i.call_id
        CROSS JOIN LATERAL (
            SELECT (h.granted_seconds + credit_steps(p_slice_seconds, h.increment_seconds))::integer AS granted
        ) g
        WHERE i.user_id = ANY (v_plain)
    ), account AS (
        UPDATE credit_accounts a SET
            held = a.held + s.more, spent_today = a.spent_today + s.more
        FROM (
            SELECT w.user_id, sum(w.held - w.held_before) AS more FROM wish w GROUP BY w.user_id
        ) s WHERE a.user_id = s.user_id
    )
    UPDATE credit_holds h SET
        state = 'ACTIVE', granted_seconds = w.granted, held = w.held, held_peak = greatest(h.held_peak, w.held),
        cut_at = h.cut_at + (w.granted - h.granted_seconds) * interval '1 second', request_no = w.request_no,
        final_reason = NULL, lease_until = v_now + interval '45 seconds', lost_at = NULL
    FROM wish w WHERE h.user_id = w.user_id AND h.call_id = w.call_id
    RETURNING h.user_id, h.call_id, true, h.state, h.granted_seconds, h.cut_at, h.held, NULL::text;

    FOR v_item IN
        SELECT i.* FROM unnest(p_users, p_calls, p_request_nos) WITH ORDINALITY i (user_id, call_id, request_no, place)
        WHERE (i.user_id = ANY (v_plain)) IS NOT TRUE ORDER BY i.place
    LOOP
        BEGIN
            RETURN QUERY SELECT v_item.user_id, v_item.call_id, e.extended, e.state, e.granted_seconds, e.cut_at, e.held, e.reason
            FROM extend_v1(v_item.user_id, v_item.call_id, p_owner, v_item.request_no, p_slice_seconds) e;
        EXCEPTION
            WHEN SQLSTATE 'TT410' THEN
                RETURN QUERY SELECT v_item.user_id, v_item.call_id, false, NULL::hold_state, NULL::integer, NULL::timestamptz,
                    NULL::bigint, 'not_owner'::text;
            WHEN SQLSTATE 'TT404' THEN
                RETURN QUERY SELECT v_item.user_id, v_item.call_id, false, NULL::hold_state, NULL::integer, NULL::timestamptz,
                    NULL::bigint, 'no_hold'::text;
        END;
    END LOOP;
END
$$;
