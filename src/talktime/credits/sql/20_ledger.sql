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
        spent_on = a.spent_on, spent_today = a.spent_today, seq = a.seq, head = a.head
    WHERE user_id = a.user_id;
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
    RETURN a;
END
$$;

-- Count so many credits (or fewer, when negative) into the day's spending, in the user's own zone. Comes before `held`
-- is changed by as much.
CREATE FUNCTION credit_spend(a credit_accounts, p_amount bigint) RETURNS credit_accounts
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_today date;
BEGIN
    SELECT (v_now AT TIME ZONE u.zone)::date INTO v_today FROM users u WHERE u.id = a.user_id;
    IF a.spent_on IS DISTINCT FROM v_today THEN
        -- What running calls hold goes over into the new day: it is charged there.
        a.spent_on := v_today;
        a.spent_today := a.held;
    END IF;
    a.spent_today := greatest(0, a.spent_today + p_amount);
    RETURN a;
END
$$;
