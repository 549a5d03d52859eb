-- The books prove themselves. Each function lists violations for a range of users; none found is an empty answer. They
-- run with the asker's own rights (talktime_everyone), so what they see is what row-level security shows.

-- Lines: numbered without a gap, balances chain, hashes chain; from the checkpoint on, or from the first line.
CREATE FUNCTION verify_lines_v1(p_from uuid, p_to uuid, p_full boolean)
RETURNS TABLE (user_id uuid, seq bigint, problem text) LANGUAGE sql STABLE AS $$
    WITH start AS (
        SELECT a.user_id, coalesce(c.seq, 0) AS seq, coalesce(c.balance, 0) AS balance, coalesce(c.hash, '\x'::bytea) AS hash
        FROM credit_accounts a LEFT JOIN ledger_checkpoints c ON c.user_id = a.user_id AND NOT p_full
        WHERE a.user_id >= p_from AND a.user_id < p_to
    ), line AS (
        SELECT t.*,
            lag(t.seq, 1, s.seq) OVER w AS previous_seq,
            lag(t.balance_after, 1, s.balance) OVER w AS previous_balance,
            lag(t.hash, 1, s.hash) OVER w AS previous_hash
        FROM start s JOIN credit_transactions t ON t.user_id = s.user_id AND t.seq > s.seq
        WINDOW w AS (PARTITION BY t.user_id ORDER BY t.seq)
    )
    SELECT l.user_id, l.seq, p.problem FROM line l CROSS JOIN LATERAL (VALUES
        (CASE WHEN l.seq <> l.previous_seq + 1 THEN format('line %s follows line %s', l.seq, l.previous_seq) END),
        (CASE WHEN l.balance_after <> l.previous_balance + l.amount
            THEN format('balance %s is not %s %s', l.balance_after, l.previous_balance, to_char(l.amount, 'SG999999999999999999')) END),
        (CASE WHEN l.hash <> credit_line_hash(
            l.previous_hash, l.user_id, l.seq, l.type, l.amount, l.balance_after, l.call_id, l.purchase_id, l.reference,
            l.reason, l.actor_id, l.created_at) THEN 'the hash does not match the line' END)
    ) AS p (problem) WHERE p.problem IS NOT NULL
$$;

-- Accounts against their newest line and their open holds.
CREATE FUNCTION verify_accounts_v1(p_from uuid, p_to uuid)
RETURNS TABLE (user_id uuid, seq bigint, problem text) LANGUAGE sql STABLE AS $$
    WITH account AS (
        SELECT a.*, t.seq AS line_seq, t.balance_after, t.hash, h.held AS holds, h.open AS opened
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
        (CASE WHEN a.seq <> coalesce(a.line_seq, 0)
            THEN format('the account counts %s lines, the newest is %s', a.seq, coalesce(a.line_seq, 0)) END),
        (CASE WHEN a.balance <> coalesce(a.balance_after, 0)
            THEN format('balance %s, but the newest line says %s', a.balance, coalesce(a.balance_after, 0)) END),
        (CASE WHEN a.head <> coalesce(a.hash, '\x'::bytea) THEN 'the head is not the hash of the newest line' END),
        (CASE WHEN a.held <> a.holds THEN format('held %s, but open holds sum to %s', a.held, a.holds) END),
        (CASE WHEN a.open_calls <> a.opened THEN format('%s open calls, but %s open holds', a.open_calls, a.opened) END),
        (CASE WHEN a.balance - a.held < -a.grace_limit - a.clawback_debt THEN 'overspent' END)
    ) AS p (problem) WHERE p.problem IS NOT NULL
$$;

-- Calls and purchases against their lines; holds that outlive their call.
CREATE FUNCTION verify_holds_v1(p_from uuid, p_to uuid)
RETURNS TABLE (user_id uuid, seq bigint, problem text) LANGUAGE sql STABLE AS $$
    WITH charge AS (
        SELECT t.user_id, t.call_id, sum(t.amount) AS amount, max(t.seq) AS seq FROM credit_transactions t
        WHERE t.user_id >= p_from AND t.user_id < p_to AND t.call_id IS NOT NULL GROUP BY t.user_id, t.call_id
    )
    SELECT coalesce(h.user_id, c.user_id), c.seq,
        format('call %s: its lines sum to %s, its hold says %s', coalesce(h.call_id, c.call_id),
               coalesce(c.amount, 0), -coalesce(h.charged + h.corrected, 0))
    FROM (SELECT * FROM credit_holds x WHERE x.user_id >= p_from AND x.user_id < p_to) h
    FULL JOIN charge c ON c.user_id = h.user_id AND c.call_id = h.call_id
    WHERE coalesce(c.amount, 0) <> -coalesce(h.charged + h.corrected, 0)
    UNION ALL
    SELECT p.user_id, t.seq, format('purchase %s: credited %s, its line says %s', p.id,
                                    CASE WHEN p.credited_at IS NULL THEN 0 ELSE p.credits END, coalesce(t.amount, 0))
    FROM purchases p
    LEFT JOIN credit_transactions t ON t.user_id = p.user_id AND t.purchase_id = p.id AND t.type = 'PURCHASE'
    WHERE p.user_id >= p_from AND p.user_id < p_to
        AND coalesce(t.amount, 0) <> CASE WHEN p.credited_at IS NULL THEN 0 ELSE p.credits END
    UNION ALL
    SELECT p.user_id, NULL, format('purchase %s: %s credits reversed, its lines say %s', p.id, p.reversed_credits, -r.amount)
    FROM purchases p CROSS JOIN LATERAL (
        SELECT coalesce(sum(t.amount), 0) AS amount FROM credit_transactions t
        WHERE t.user_id = p.user_id AND t.purchase_id = p.id AND t.type IN ('REFUND', 'DISPUTE')
    ) r
    WHERE p.user_id >= p_from AND p.user_id < p_to AND p.reversed_credits <> -r.amount
    UNION ALL
    SELECT h.user_id, NULL, format('call %s: its hold is %s, the call %s', h.call_id, h.state, c.status)
    FROM credit_holds h JOIN calls c ON c.user_id = h.user_id AND c.id = h.call_id
    WHERE h.user_id >= p_from AND h.user_id < p_to
        AND (h.settled_at IS NOT NULL) <> (c.status NOT IN ('RINGING', 'IN_PROGRESS'))
    UNION ALL
    SELECT c.user_id, NULL, format('call %s is %s and has no hold', c.id, c.status)
    FROM calls c LEFT JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id
    WHERE c.user_id >= p_from AND c.user_id < p_to AND c.status IN ('RINGING', 'IN_PROGRESS') AND h.call_id IS NULL
    UNION ALL
    SELECT d.user_id, NULL, format('the directory points at call %s, which is not there', d.call_id)
    FROM call_directory d LEFT JOIN calls c ON c.user_id = d.user_id AND c.id = d.call_id
    WHERE d.user_id >= p_from AND d.user_id < p_to AND c.id IS NULL
    UNION ALL
    SELECT d.user_id, NULL, format('the directory points at purchase %s, which is not there', d.purchase_id)
    FROM purchase_directory d LEFT JOIN purchases p ON p.user_id = d.user_id AND p.id = d.purchase_id
    WHERE d.user_id >= p_from AND d.user_id < p_to AND p.id IS NULL
    UNION ALL
    SELECT h.user_id, NULL, format('call %s: its hold outlives its lease by more than 120 seconds', h.call_id)
    FROM credit_holds h
    WHERE h.user_id >= p_from AND h.user_id < p_to AND h.settled_at IS NULL
        AND h.lease_until < statement_timestamp() - interval '120 seconds'
$$;
