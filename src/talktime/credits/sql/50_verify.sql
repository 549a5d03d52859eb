-- The books prove themselves. Each function lists violations; none found is an empty answer. They run with the asker's
-- own rights (talktime_everyone), so what they see is what row-level security shows.
-- All read in the order of a primary key: that needs no memory and no sorting, whatever a planner would guess.

-- A line's hash, of either version. (Each argument stands in it once or is a column, so that the planner writes it out.)
CREATE FUNCTION credit_line_is_genuine(
    p_hash bytea, p_previous bytea, p_user uuid, p_seq bigint, p_type transaction_type, p_amount bigint,
    p_balance_after bigint, p_call uuid, p_purchase uuid, p_reference text, p_reason text, p_actor uuid,
    p_created_at timestamptz
) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN p_hash = credit_line_hash(
        p_previous, p_user, p_seq, p_type, p_amount, p_balance_after, p_call, p_purchase, p_reference, p_reason, p_actor,
        p_created_at)
    OR p_hash = credit_line_hash_1(
        p_previous, p_user, p_seq, p_type, p_amount, p_balance_after, p_call, p_purchase, p_reference, p_reason, p_actor,
        p_created_at);

-- Lines: numbered without a gap, balances chain, hashes chain. Those after line `p_after_seq` of user `p_from`, up to line
-- `p_to_seq` of user `p_to`; the line before the first is read too, because the first must follow it.
CREATE FUNCTION verify_lines_v2(p_from uuid, p_after_seq bigint, p_to uuid, p_to_seq bigint)
RETURNS TABLE (user_id uuid, seq bigint, problem text) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH wrong AS MATERIALIZED (
        -- Number, balance and hash of the line before come in one piece: looking back costs more than the hash.
        SELECT l.*, ('x' || encode(substr(l.previous, 1, 8), 'hex'))::bit(64)::bigint AS previous_seq,
            ('x' || encode(substr(l.previous, 9, 8), 'hex'))::bit(64)::bigint AS previous_balance,
            NOT credit_line_is_genuine(l.hash, substr(l.previous, 17), l.user_id, l.seq, l.type, l.amount, l.balance_after,
                l.call_id, l.purchase_id, l.reference, l.reason, l.actor_id, l.created_at) AS is_forged
        FROM (
            SELECT t.*, lag(int8send(t.seq) || int8send(t.balance_after) || t.hash, 1, '\x00000000000000000000000000000000'::bytea)
                OVER (PARTITION BY t.user_id ORDER BY t.seq) AS previous
            FROM credit_transactions t
            WHERE (t.user_id, t.seq) >= (p_from, p_after_seq) AND (t.user_id, t.seq) <= (p_to, p_to_seq)
        ) l
        WHERE (
            int8send(l.seq - 1) || int8send(l.balance_after - l.amount) <> substr(l.previous, 1, 16)
            OR NOT credit_line_is_genuine(l.hash, substr(l.previous, 17), l.user_id, l.seq, l.type, l.amount, l.balance_after,
                l.call_id, l.purchase_id, l.reference, l.reason, l.actor_id, l.created_at)
        ) AND (l.user_id, l.seq) > (p_from, p_after_seq)
    )
    SELECT w.user_id, w.seq, p.problem FROM wrong w CROSS JOIN LATERAL (VALUES
        (CASE WHEN w.seq <> w.previous_seq + 1 THEN format('line %s follows line %s', w.seq, w.previous_seq) END),
        (CASE WHEN w.balance_after <> w.previous_balance + w.amount
            THEN format('balance %s is not %s %s', w.balance_after, w.previous_balance, to_char(w.amount, 'SG999999999999999999')) END),
        (CASE WHEN w.is_forged THEN 'the hash does not match the line' END)
    ) AS p (problem) WHERE p.problem IS NOT NULL;
END
$$;

-- The same for what came since the checkpoint of each user from `p_from` on and before `p_to`; the checkpoint must still
-- fit the line that it stands for.
CREATE FUNCTION verify_new_lines_v2(p_from uuid, p_to uuid)
RETURNS TABLE (user_id uuid, seq bigint, problem text) LANGUAGE sql STABLE AS $$
    WITH line AS (
        SELECT t.*, coalesce(lag(t.seq) OVER w, c.seq, 0) AS previous_seq,
            coalesce(lag(t.balance_after) OVER w, c.balance, 0) AS previous_balance,
            coalesce(lag(t.hash) OVER w, c.hash, '\x'::bytea) AS previous_hash
        FROM credit_accounts a LEFT JOIN ledger_checkpoints c ON c.user_id = a.user_id
        JOIN credit_transactions t ON t.user_id = a.user_id AND t.seq > coalesce(c.seq, 0)
        WHERE a.user_id >= p_from AND a.user_id < p_to
        WINDOW w AS (PARTITION BY t.user_id ORDER BY t.seq)
    ), wrong AS MATERIALIZED (
        SELECT l.*, NOT credit_line_is_genuine(l.hash, l.previous_hash, l.user_id, l.seq, l.type, l.amount, l.balance_after,
            l.call_id, l.purchase_id, l.reference, l.reason, l.actor_id, l.created_at) AS is_forged
        FROM line l
    )
    SELECT w.user_id, w.seq, p.problem FROM wrong w CROSS JOIN LATERAL (VALUES
        (CASE WHEN w.seq <> w.previous_seq + 1 THEN format('line %s follows line %s', w.seq, w.previous_seq) END),
        (CASE WHEN w.balance_after <> w.previous_balance + w.amount
            THEN format('balance %s is not %s %s', w.balance_after, w.previous_balance, to_char(w.amount, 'SG999999999999999999')) END),
        (CASE WHEN w.is_forged THEN 'the hash does not match the line' END)
    ) AS p (problem)
    WHERE (w.seq <> w.previous_seq + 1 OR w.balance_after <> w.previous_balance + w.amount OR w.is_forged)
        AND p.problem IS NOT NULL
    UNION ALL
    SELECT c.user_id, c.seq, 'the line is not the one that was verified'
    FROM ledger_checkpoints c LEFT JOIN credit_transactions t ON t.user_id = c.user_id AND t.seq = c.seq
    WHERE c.user_id >= p_from AND c.user_id < p_to
        AND (t.hash IS DISTINCT FROM c.hash OR t.balance_after IS DISTINCT FROM c.balance)
$$;

-- Accounts against their newest line and their open holds; purchases against their lines.
CREATE FUNCTION verify_accounts_v2(p_from uuid, p_to uuid)
RETURNS TABLE (user_id uuid, seq bigint, problem text) LANGUAGE sql STABLE AS $$
    WITH account AS MATERIALIZED (
        SELECT a.*, coalesce(t.seq, 0) AS line_seq, coalesce(t.balance_after, 0) AS line_balance,
            coalesce(t.hash, '\x'::bytea) AS line_hash, h.held AS holds, h.open AS opened
        FROM credit_accounts a
        LEFT JOIN LATERAL (
            SELECT t.seq, t.balance_after, t.hash FROM credit_transactions t
            WHERE t.user_id = a.user_id ORDER BY t.seq DESC LIMIT 1
        ) t ON true
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(h.held), 0) AS held,
                count(*) FILTER (WHERE h.state IN ('AUTHORISED', 'ACTIVE', 'FINAL')) AS open
            FROM credit_holds h WHERE h.user_id = a.user_id AND h.settled_at IS NULL
        ) h
        WHERE a.user_id >= p_from AND a.user_id < p_to
    )
    SELECT a.user_id, a.seq, p.problem FROM account a CROSS JOIN LATERAL (VALUES
        (CASE WHEN a.seq <> a.line_seq THEN format('the account counts %s lines, the newest is %s', a.seq, a.line_seq) END),
        (CASE WHEN a.balance <> a.line_balance
            THEN format('balance %s, but the newest line says %s', a.balance, a.line_balance) END),
        (CASE WHEN a.head <> a.line_hash THEN 'the head is not the hash of the newest line' END),
        (CASE WHEN a.held <> a.holds THEN format('held %s, but open holds sum to %s', a.held, a.holds) END),
        (CASE WHEN a.open_calls <> a.opened THEN format('%s open calls, but %s open holds', a.open_calls, a.opened) END),
        (CASE WHEN a.balance - a.held < -a.grace_limit - a.clawback_debt THEN 'overspent'
            WHEN a.clawback_debt <> greatest(0, -a.grace_limit - (a.balance - a.held)) THEN format('debt %s, but %s are missing',
                a.clawback_debt, greatest(0, -a.grace_limit - (a.balance - a.held))) END)
    ) AS p (problem)
    WHERE (a.seq <> a.line_seq OR a.balance <> a.line_balance OR a.head <> a.line_hash OR a.held <> a.holds
            OR a.open_calls <> a.opened OR a.clawback_debt <> greatest(0, -a.grace_limit - (a.balance - a.held)))
        AND p.problem IS NOT NULL
    UNION ALL
    SELECT u.id, NULL, 'there are lines or holds, and no account'
    FROM users u LEFT JOIN credit_accounts a ON a.user_id = u.id
    WHERE u.id >= p_from AND u.id < p_to AND a.user_id IS NULL
        AND (EXISTS (SELECT FROM credit_transactions t WHERE t.user_id = u.id)
            OR EXISTS (SELECT FROM credit_holds h WHERE h.user_id = u.id))
    UNION ALL
    SELECT p.user_id, t.seq, format('purchase %s: credited %s, its line says %s', p.id,
                                    CASE WHEN p.credited_at IS NULL THEN 0 ELSE p.credits END, coalesce(t.amount, 0))
    FROM purchases p
    LEFT JOIN credit_transactions t ON t.user_id = p.user_id AND t.purchase_id = p.id AND t.type = 'PURCHASE'
    WHERE p.user_id >= p_from AND p.user_id < p_to
        AND coalesce(t.amount, 0) <> CASE WHEN p.credited_at IS NULL THEN 0 ELSE p.credits END
    UNION ALL
    SELECT t.user_id, t.seq, format('the line credits purchase %s, which is not there', t.purchase_id)
    FROM credit_transactions t LEFT JOIN purchases p ON p.user_id = t.user_id AND p.id = t.purchase_id
    WHERE t.user_id >= p_from AND t.user_id < p_to AND t.type = 'PURCHASE' AND p.id IS NULL
    UNION ALL
    SELECT coalesce(v.user_id, t.user_id), t.seq, format('reversal %s: %s credits taken, its line says %s',
        coalesce(v.reference, t.reference), coalesce(v.taken, 0), -coalesce(t.amount, 0))
    FROM (SELECT * FROM credit_reversals x WHERE x.user_id >= p_from AND x.user_id < p_to) v
    FULL JOIN (
        SELECT x.* FROM credit_transactions x
        WHERE x.user_id >= p_from AND x.user_id < p_to AND x.reference IS NOT NULL AND x.type IN ('REFUND', 'DISPUTE')
            AND (x.reference LIKE 'refund:%' OR x.reference LIKE 'dispute:%')
    ) t ON t.user_id = v.user_id AND t.reference = v.reference AND t.purchase_id = v.purchase_id AND t.type = v.type
    WHERE coalesce(v.taken, 0) <> -coalesce(t.amount, 0)
    UNION ALL
    SELECT p.user_id, NULL, format('purchase %s over %s: %s credits reversed, its lines say %s', p.id, p.credits,
                                   p.reversed_credits, -coalesce(r.amount, 0))
    FROM purchases p LEFT JOIN (
        SELECT t.user_id, t.purchase_id, sum(t.amount) AS amount FROM credit_transactions t
        WHERE t.user_id >= p_from AND t.user_id < p_to AND t.reference IS NOT NULL AND t.type IN ('REFUND', 'DISPUTE')
            AND (t.reference LIKE 'refund:%' OR t.reference LIKE 'dispute:%')
        GROUP BY t.user_id, t.purchase_id
    ) r ON r.user_id = p.user_id AND r.purchase_id = p.id
    WHERE p.user_id >= p_from AND p.user_id < p_to
        AND (p.reversed_credits <> -coalesce(r.amount, 0) OR -coalesce(r.amount, 0) NOT BETWEEN 0 AND p.credits)
    UNION ALL
    SELECT d.user_id, NULL, format('the directory points at purchase %s, which is not there', d.purchase_id)
    FROM purchase_directory d LEFT JOIN purchases p ON p.user_id = d.user_id AND p.id = d.purchase_id
    WHERE d.user_id >= p_from AND d.user_id < p_to AND p.id IS NULL
$$;

-- Calls and their holds against their lines and each other; those from call `p_from_call` of user `p_from` on, and before
-- call `p_to_call` of user `p_to`.
CREATE FUNCTION verify_calls_v2(p_from uuid, p_from_call uuid, p_to uuid, p_to_call uuid)
RETURNS TABLE (user_id uuid, seq bigint, problem text) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_hashjoin = off SET enable_nestloop = off
SET enable_hashagg = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
    -- One pass over the three; each hold has a call, each charge a hold.
    RETURN QUERY
    SELECT coalesce(h.user_id, t.user_id), t.seq, CASE
        WHEN coalesce(t.amount, 0) <> -coalesce(h.cost, 0) THEN
            format('call %s: its lines sum to %s, its hold says %s', coalesce(h.call_id, t.call_id), coalesce(t.amount, 0),
                   -coalesce(h.cost, 0))
        WHEN h.cost NOT BETWEEN 0 AND h.held_peak THEN
            format('call %s: %s were charged, %s held', h.call_id, h.cost, h.held_peak)
        WHEN h.is_closed IS DISTINCT FROM h.is_over THEN
            format('call %s: its hold is %s, the call %s', h.call_id, h.state, coalesce(h.status::text, 'not there'))
        ELSE format('call %s: its hold outlives its lease by more than 120 seconds', h.call_id)
    END
    FROM (
        SELECT x.user_id, x.call_id, x.charged + x.corrected AS cost, x.held_peak, x.state, x.lease_until, c.status,
            x.settled_at IS NOT NULL AS is_closed, c.status NOT IN ('RINGING', 'IN_PROGRESS') AS is_over
        FROM credit_holds x LEFT JOIN calls c ON c.user_id = x.user_id AND c.id = x.call_id
            AND (c.user_id, c.id) >= (p_from, p_from_call) AND (c.user_id, c.id) < (p_to, p_to_call)
        WHERE (x.user_id, x.call_id) >= (p_from, p_from_call) AND (x.user_id, x.call_id) < (p_to, p_to_call)
    ) h
    FULL JOIN (
        SELECT l.user_id, l.call_id, sum(l.amount) AS amount, max(l.seq) AS seq FROM credit_transactions l
        WHERE l.call_id IS NOT NULL AND (l.user_id, l.call_id) >= (p_from, p_from_call)
            AND (l.user_id, l.call_id) < (p_to, p_to_call)
        GROUP BY l.user_id, l.call_id
    ) t ON t.user_id = h.user_id AND t.call_id = h.call_id
    WHERE coalesce(t.amount, 0) <> -coalesce(h.cost, 0)
        OR h.cost NOT BETWEEN 0 AND h.held_peak
        OR h.is_closed <> coalesce(h.is_over, NOT h.is_closed)
        OR NOT h.is_closed AND h.lease_until < statement_timestamp() - interval '120 seconds';

    RETURN QUERY
    SELECT c.user_id, NULL::bigint, format('call %s is %s and has no hold', c.id, c.status)
    FROM calls c
    WHERE c.status IN ('RINGING', 'IN_PROGRESS') AND c.user_id BETWEEN p_from AND p_to
        AND (c.user_id, c.id) >= (p_from, p_from_call) AND (c.user_id, c.id) < (p_to, p_to_call)
        AND NOT EXISTS (SELECT FROM credit_holds h WHERE h.user_id = c.user_id AND h.call_id = c.id);

    RETURN QUERY
    SELECT d.user_id, NULL::bigint, format('the directory points at call %s, which is not there', d.call_id)
    FROM (
        SELECT * FROM call_directory x WHERE (x.user_id, x.call_id) >= (p_from, p_from_call)
            AND (x.user_id, x.call_id) < (p_to, p_to_call)
    ) d
    LEFT JOIN (
        SELECT * FROM calls x WHERE (x.user_id, x.id) >= (p_from, p_from_call) AND (x.user_id, x.id) < (p_to, p_to_call)
    ) c ON c.user_id = d.user_id AND c.id = d.call_id
    WHERE c.id IS NULL;
END
$$;

-- The same for the calls that lines came to since the checkpoint, and for those that still run.
CREATE FUNCTION verify_new_calls_v2(p_from uuid, p_to uuid)
RETURNS TABLE (user_id uuid, seq bigint, problem text) LANGUAGE sql STABLE AS $$
    WITH touched AS (
        SELECT DISTINCT t.user_id, t.call_id
        FROM credit_accounts a LEFT JOIN ledger_checkpoints c ON c.user_id = a.user_id
        JOIN credit_transactions t ON t.user_id = a.user_id AND t.seq > coalesce(c.seq, 0)
        WHERE a.user_id >= p_from AND a.user_id < p_to AND t.call_id IS NOT NULL
        UNION
        SELECT h.user_id, h.call_id FROM credit_holds h
        WHERE h.user_id >= p_from AND h.user_id < p_to AND h.settled_at IS NULL
        UNION
        SELECT c.user_id, c.id FROM calls c
        WHERE c.user_id >= p_from AND c.user_id < p_to AND c.status IN ('RINGING', 'IN_PROGRESS')
    ), found AS (
        SELECT x.user_id, x.call_id, h.charged + h.corrected AS cost, h.held_peak, h.state, h.settled_at, h.lease_until, c.status,
            l.amount, l.seq
        FROM touched x
        LEFT JOIN credit_holds h ON h.user_id = x.user_id AND h.call_id = x.call_id
        LEFT JOIN calls c ON c.user_id = x.user_id AND c.id = x.call_id
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(t.amount), 0) AS amount, max(t.seq) AS seq FROM credit_transactions t
            WHERE t.user_id = x.user_id AND t.call_id = x.call_id
        ) l
    )
    SELECT f.user_id, f.seq, p.problem FROM found f CROSS JOIN LATERAL (VALUES
        (CASE WHEN f.amount <> -coalesce(f.cost, 0)
            THEN format('call %s: its lines sum to %s, its hold says %s', f.call_id, f.amount, -coalesce(f.cost, 0)) END),
        (CASE WHEN f.cost NOT BETWEEN 0 AND f.held_peak
            THEN format('call %s: %s were charged, %s held', f.call_id, f.cost, f.held_peak) END),
        (CASE WHEN f.settled_at IS NULL AND f.lease_until < statement_timestamp() - interval '120 seconds'
            THEN format('call %s: its hold outlives its lease by more than 120 seconds', f.call_id) END),
        (CASE WHEN f.state IS NULL THEN format('call %s is %s and has no hold', f.call_id, f.status)
            WHEN (f.settled_at IS NOT NULL) <> (f.status NOT IN ('RINGING', 'IN_PROGRESS'))
            THEN format('call %s: its hold is %s, the call %s', f.call_id, f.state, f.status) END)
    ) AS p (problem) WHERE p.problem IS NOT NULL
$$;
