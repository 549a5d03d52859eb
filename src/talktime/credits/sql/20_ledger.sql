-- The ledger is append-only, whoever asks. Grants say so too; this is the guard behind them.
CREATE FUNCTION credit_transactions_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % refused', TG_OP USING ERRCODE = 'TT409';
END
$$;

CREATE TRIGGER credit_transactions_append_only BEFORE UPDATE OR DELETE ON credit_transactions
    FOR EACH ROW EXECUTE FUNCTION credit_transactions_append_only();
CREATE TRIGGER credit_transactions_no_truncate BEFORE TRUNCATE ON credit_transactions
    FOR EACH STATEMENT EXECUTE FUNCTION credit_transactions_append_only();

-- An account stays as long as the books: lines and holds lean on it without a foreign key, because every function that
-- writes one has locked it, and the key's own check would lock it again (a tenth of a posting's time).
CREATE FUNCTION credit_accounts_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an account is never removed: % refused', TG_OP USING ERRCODE = 'TT409';
END
$$;

CREATE TRIGGER credit_accounts_stay BEFORE DELETE OR UPDATE OF user_id ON credit_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION credit_accounts_stay();
CREATE TRIGGER credit_accounts_no_truncate BEFORE TRUNCATE ON credit_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION credit_accounts_stay();

-- Lock a user's account, making it when it is missing. Every function that writes begins here: account, then hold.
CREATE FUNCTION credit_lock(p_user uuid) RETURNS credit_accounts
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
BEGIN
    SELECT * INTO a FROM credit_accounts WHERE user_id = p_user FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        INSERT INTO credit_accounts (user_id) VALUES (p_user) ON CONFLICT DO NOTHING;
        SELECT * INTO STRICT a FROM credit_accounts WHERE user_id = p_user FOR NO KEY UPDATE;
    END IF;
    RETURN a;
END
$$;

-- Write the account back. Every change of it comes through here, so the claw-back debt shrinks after each posting.
CREATE FUNCTION credit_store(a credit_accounts) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE credit_accounts SET
        balance = a.balance, held = a.held, grace_limit = a.grace_limit,
        clawback_debt = least(a.clawback_debt, greatest(0, -a.grace_limit - (a.balance - a.held))),
        blocked_reason = a.blocked_reason, open_calls = a.open_calls, max_open_calls = a.max_open_calls,
        spent_on = a.spent_on, spent_until = a.spent_until, spent_today = a.spent_today, seq = a.seq, head = a.head,
        day_limit = a.day_limit, call_limit = a.call_limit, caller_limit = a.caller_limit, low_balance = a.low_balance
    WHERE user_id = a.user_id;
END
$$;

-- Tell a customer something, once per subject. Sums and ids only.
CREATE FUNCTION credit_notice(p_user uuid, p_kind text, p_subject text, p_detail jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO notices (user_id, id, kind, subject, detail)
    VALUES (p_user, gen_random_uuid(), p_kind, p_subject, p_detail) ON CONFLICT DO NOTHING;
END
$$;

-- Tell the operator something.
CREATE FUNCTION credit_alert(p_user uuid, p_kind text, p_detail jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO alerts (id, kind, user_id, detail) VALUES (gen_random_uuid(), p_kind, p_user, p_detail);
END
$$;

-- Append one line; gives back the account as it is after it. The caller stores it.
CREATE FUNCTION credit_append(
    a credit_accounts, p_type transaction_type, p_amount bigint, p_call uuid, p_purchase uuid, p_reference text,
    p_reason text, p_actor uuid
) RETURNS credit_accounts LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    a.balance := a.balance + p_amount;
    a.seq := a.seq + 1;
    a.head := credit_line_hash(
        a.head, a.user_id, a.seq, p_type, p_amount, a.balance, p_call, p_purchase, p_reference, p_reason, p_actor, v_now
    );
    INSERT INTO credit_transactions (
        user_id, seq, type, amount, balance_after, call_id, purchase_id, reference, reason, actor_id, created_at, hash
    ) VALUES (
        a.user_id, a.seq, p_type, p_amount, a.balance, p_call, p_purchase, p_reference, p_reason, p_actor, v_now, a.head
    );
    IF a.low_balance > a.balance AND a.low_balance <= a.balance - p_amount THEN
        PERFORM credit_notice(a.user_id, 'low_balance', a.seq::text, jsonb_build_object(
            'balance', a.balance, 'threshold', a.low_balance
        ));
    END IF;
    RETURN a;
END
$$;

-- The day that an account counts at a moment, and its sum so far: the one that it has, or a new one in the user's own zone
-- when that is over. What running calls hold goes over into the new day: it is charged there. So this is read before
-- `held` is changed. (One plain query, so that the planner writes it into the statement that asks; `credit_new_day` says the
-- same of an account in hand.)
CREATE FUNCTION credit_day(p_user uuid, p_at timestamptz)
RETURNS TABLE (spent_on date, spent_until timestamptz, spent_today bigint) LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN a.spent_until > p_at THEN a.spent_on ELSE d.today END,
        CASE WHEN a.spent_until > p_at THEN a.spent_until ELSE (d.today + 1)::timestamp AT TIME ZONE d.zone END,
        -- (An account from before the end of the day was kept has its sum of today all the same.)
        CASE
            WHEN a.spent_until > p_at OR a.spent_until IS NULL AND a.spent_on = d.today THEN a.spent_today
            ELSE a.held
        END
    FROM credit_accounts a
    JOIN (SELECT u.id, u.zone, (p_at AT TIME ZONE u.zone)::date AS today FROM users u) d ON d.id = a.user_id
    WHERE a.user_id = p_user
$$;

-- The day's spending begins anew when the user's day is over, in the user's own zone. What running calls hold goes over
-- into the new day: it is charged there. So this comes before `held` is changed.
CREATE FUNCTION credit_new_day(a credit_accounts) RETURNS credit_accounts
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    IF (a.spent_until > v_now) IS NOT TRUE THEN
        -- (An account from before the end of the day was kept has its sum of today all the same.)
        SELECT d.today, (d.today + 1)::timestamp AT TIME ZONE d.zone,
            CASE WHEN a.spent_until IS NULL AND a.spent_on = d.today THEN a.spent_today ELSE a.held END
        INTO a.spent_on, a.spent_until, a.spent_today
        FROM (SELECT (v_now AT TIME ZONE u.zone)::date AS today, u.zone FROM users u WHERE u.id = a.user_id) d;
    END IF;
    RETURN a;
END
$$;

-- The same, written back: for a function that has locked the account and writes it in a statement of its own.
CREATE FUNCTION credit_turn_day(p_user uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
BEGIN
    SELECT * INTO a FROM credit_accounts WHERE user_id = p_user;
    PERFORM credit_store(credit_new_day(a));
END
$$;

-- Count so many credits (or fewer, when negative) into the day's spending. Comes before `held` is changed by as much.
CREATE FUNCTION credit_spend(a credit_accounts, p_amount bigint) RETURNS credit_accounts
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    a := credit_new_day(a);
    a.spent_today := greatest(0, a.spent_today + p_amount);
    RETURN a;
END
$$;

-- What the spend guards leave for a call that holds so much already, and the guard that leaves least. The day's sum must
-- be up to date (`credit_spend`). Callers that hide their number count as one.
CREATE FUNCTION credit_room(a credit_accounts, p_call uuid, p_held bigint, OUT room bigint, OUT guard text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_caller text;
    v_begin timestamptz;
    v_spent bigint;
BEGIN
    room := 1000000000000000;
    IF a.day_limit IS NOT NULL THEN
        room := a.day_limit - a.spent_today;
        guard := 'day_limit';
    END IF;
    IF a.call_limit - p_held < room THEN
        room := a.call_limit - p_held;
        guard := 'call_limit';
    END IF;
    IF a.caller_limit IS NOT NULL THEN
        SELECT c.caller INTO v_caller FROM calls c WHERE c.user_id = a.user_id AND c.id = p_call;
        SELECT date_trunc('day', clock_timestamp() AT TIME ZONE u.zone) AT TIME ZONE u.zone INTO v_begin
        FROM users u WHERE u.id = a.user_id;
        -- As the day's sum does: what running calls hold, whenever they began, and what was charged today. (No call lasts
        -- longer than a day.)
        IF v_caller IS NULL THEN
            SELECT coalesce(sum(h.charged + h.corrected), 0) INTO v_spent
            FROM calls c JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id
            WHERE c.user_id = a.user_id AND c.caller IS NULL AND c.started_at >= v_begin - interval '1 day'
                AND h.settled_at >= v_begin;
        ELSE
            SELECT coalesce(sum(h.charged + h.corrected), 0) INTO v_spent
            FROM calls c JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id
            WHERE c.user_id = a.user_id AND c.caller = v_caller AND c.started_at >= v_begin - interval '1 day'
                AND h.settled_at >= v_begin;
        END IF;
        SELECT v_spent + coalesce(sum(h.held), 0) INTO v_spent
        FROM credit_holds h JOIN calls c ON c.user_id = h.user_id AND c.id = h.call_id
        WHERE h.user_id = a.user_id AND h.settled_at IS NULL AND c.caller IS NOT DISTINCT FROM v_caller;
        IF a.caller_limit - v_spent < room THEN
            room := a.caller_limit - v_spent;
            guard := 'caller_limit';
        END IF;
    END IF;
END
$$;

-- A caller was not served, or a call goes no further: the customer is told, once a day and reason (of a guard on callers
-- once a day and caller, named by that caller's first call of the day).
CREATE FUNCTION credit_tell_refused(a credit_accounts, p_call uuid, p_kind text, p_reason text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_day date;
    v_subject text;
BEGIN
    SELECT (clock_timestamp() AT TIME ZONE u.zone)::date INTO v_day FROM users u WHERE u.id = a.user_id;
    v_subject := p_reason || ':' || v_day;
    IF p_reason = 'call_limit' AND p_kind = 'guard_reached' THEN
        v_subject := p_reason || ':' || p_call;
    ELSIF p_reason = 'caller_limit' THEN
        -- (A call of yesterday's that still runs may be the only one.)
        SELECT p_reason || ':' || v_day || ':' || coalesce(min(o.id::text), p_call::text) INTO v_subject
        FROM calls c JOIN calls o ON o.user_id = c.user_id AND o.caller IS NOT DISTINCT FROM c.caller
        WHERE c.user_id = a.user_id AND c.id = p_call
            AND o.started_at >= (SELECT v_day::timestamp AT TIME ZONE u.zone FROM users u WHERE u.id = a.user_id);
    END IF;
    PERFORM credit_notice(a.user_id, p_kind, v_subject, jsonb_build_object(
        'reason', p_reason, 'on', v_day, 'call_id', p_call,
        'limit', CASE p_reason WHEN 'day_limit' THEN a.day_limit WHEN 'call_limit' THEN a.call_limit
                               WHEN 'caller_limit' THEN a.caller_limit END
    ));
END
$$;
