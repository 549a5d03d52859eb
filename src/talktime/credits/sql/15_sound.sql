-- What must hold in each row of the books, one function a table. PostgreSQL reads the text of a declared CHECK anew at
-- every statement, and twenty of them were a quarter of a posting; a function's is read once a connection. The first
-- expression decides; the rules behind it only give the name.

CREATE FUNCTION credit_account_is_sound(a credit_accounts) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    -- (No balance and no hold comes near 10^15; one that does is a bug.)
    IF (least(a.balance - a.held + a.grace_limit + a.clawback_debt, a.held, a.grace_limit, a.clawback_debt, a.spent_today,
              a.seq, a.day_limit, a.call_limit, a.caller_limit, a.low_balance) >= 0
        AND least(a.open_calls, a.max_open_calls) >= 0
        AND greatest(abs(a.balance), a.held, a.grace_limit, a.clawback_debt, a.low_balance) <= 1000000000000000) IS NOT FALSE THEN
        RETURN true;
    END IF;
    RAISE check_violation USING MESSAGE = 'the account of user ' || a.user_id || ' would not be sound',
        TABLE = 'credit_accounts', CONSTRAINT = 'ck_credit_accounts_' || CASE
            WHEN a.balance - a.held + a.grace_limit + a.clawback_debt < 0 THEN 'never_overspent'
            WHEN a.held < 0 THEN 'held'
            WHEN a.grace_limit < 0 THEN 'grace_limit'
            WHEN a.clawback_debt < 0 THEN 'clawback_debt'
            WHEN a.open_calls < 0 THEN 'open_calls'
            WHEN a.max_open_calls < 0 THEN 'max_open_calls'
            WHEN a.spent_today < 0 THEN 'spent_today'
            WHEN a.seq < 0 THEN 'seq'
            WHEN least(a.day_limit, a.call_limit, a.caller_limit) < 0 THEN 'guards'
            WHEN a.low_balance < 0 THEN 'low_balance'
            ELSE 'fence'
        END;
END
$$;

CREATE FUNCTION credit_hold_is_sound(h credit_holds) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    -- A closed hold and an open one look only at their own rules.
    IF h.settled_at IS NOT NULL THEN
        IF (h.held = 0 AND CASE WHEN h.denied_reason IS NULL THEN h.state IN ('SETTLED', 'RELEASED') ELSE h.state = 'DENIED' END
            AND least(h.charged, h.unbilled, h.charged + h.corrected) >= 0 AND h.charged + h.corrected <= h.held_peak
            AND least(h.granted_seconds, h.used_seconds, h.corrections) >= 0) IS NOT FALSE THEN
            RETURN true;
        END IF;
    ELSIF (h.denied_reason IS NULL AND CASE
            WHEN h.lost_at IS NOT NULL AND h.state = 'RECONCILE' THEN true
            WHEN h.lease_owner IS NOT NULL AND h.cut_at IS NOT NULL THEN h.state IN ('ACTIVE', 'FINAL', 'AUTHORISED')
            ELSE h.state = 'AUTHORISED'
        END
        AND least(h.held, h.charged, h.charged + h.corrected, h.unbilled) >= 0
        AND greatest(h.held, h.charged + h.corrected) <= h.held_peak
        AND least(h.granted_seconds, h.used_seconds, h.corrections) >= 0) IS NOT FALSE THEN
        RETURN true;
    END IF;
    RAISE check_violation USING MESSAGE = 'the hold of call ' || h.call_id || ' would not be sound',
        TABLE = 'credit_holds', CONSTRAINT = 'ck_credit_holds_' || CASE
            WHEN h.held NOT BETWEEN 0 AND h.held_peak THEN 'held'
            WHEN h.charged < 0 OR h.charged + h.corrected NOT BETWEEN 0 AND h.held_peak THEN 'charged'
            WHEN least(h.granted_seconds, h.used_seconds, h.corrections) < 0 OR h.unbilled < 0 THEN 'counts'
            WHEN (h.settled_at IS NOT NULL) <> (h.state IN ('DENIED', 'SETTLED', 'RELEASED')) THEN 'closed_is_settled'
            WHEN h.settled_at IS NOT NULL AND h.held <> 0 THEN 'closed_holds_nothing'
            WHEN h.state = 'RECONCILE' AND h.lost_at IS NULL THEN 'lost_at'
            WHEN (h.denied_reason IS NOT NULL) <> (h.state = 'DENIED') THEN 'denied_reason'
            ELSE 'active_is_owned'
        END;
END
$$;

CREATE FUNCTION credit_line_is_sound(t credit_transactions) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    -- Each kind looks only at its own rules: the usage of a call, what somebody posted, and all others.
    IF t.call_id IS NOT NULL AND t.purchase_id IS NULL AND t.reference IS NULL AND t.reason IS NULL THEN
        IF (t.type IN ('CALL_USAGE', 'GRACE_USAGE') AND t.amount < 0 AND t.seq >= 1 AND octet_length(t.hash) = 32) IS NOT FALSE THEN
            RETURN true;
        END IF;
    ELSIF t.actor_id IS NOT NULL AND t.purchase_id IS NULL AND t.reference IS NOT NULL AND t.reason IS NOT NULL THEN
        IF (t.type = 'ADMIN_ADJUSTMENT' AND t.amount <> 0 AND t.seq >= 1 AND octet_length(t.hash) = 32
            AND '' NOT IN (t.reference, t.reason) AND length(t.reference) <= 200 AND length(t.reason) <= 1000) IS NOT FALSE THEN
            RETURN true;
        END IF;
    ELSIF (t.amount <> 0 AND t.seq >= 1 AND octet_length(t.hash) = 32
        AND length(t.reference) BETWEEN 1 AND 200 AND length(t.reason) BETWEEN 1 AND 1000
        AND CASE
            WHEN t.reference IS NULL AND t.purchase_id IS NULL
                THEN t.type IN ('CALL_USAGE', 'GRACE_USAGE') AND t.call_id IS NOT NULL AND t.amount < 0
            WHEN t.reference IS NULL THEN t.type = 'PURCHASE' AND t.amount > 0
            WHEN t.purchase_id IS NULL THEN t.type = 'ADMIN_ADJUSTMENT' AND t.reason IS NOT NULL
                AND (t.actor_id IS NOT NULL OR t.reference ~ '^(correction|rent):')
            ELSE t.type IN ('REFUND', 'DISPUTE')
        END) IS NOT FALSE THEN
        RETURN true;
    END IF;
    RAISE check_violation USING MESSAGE = 'line ' || t.seq || ' of user ' || t.user_id || ' would not be sound',
        TABLE = 'credit_transactions', CONSTRAINT = 'ck_credit_transactions_' || CASE
            WHEN t.amount = 0 THEN 'amount'
            WHEN t.seq < 1 THEN 'seq'
            WHEN octet_length(t.hash) <> 32 THEN 'hash'
            WHEN length(t.reference) NOT BETWEEN 1 AND 200 OR length(t.reason) NOT BETWEEN 1 AND 1000 THEN 'texts'
            WHEN t.type IN ('CALL_USAGE', 'GRACE_USAGE') THEN 'usage_has_call'
            WHEN t.type = 'PURCHASE' THEN 'purchase_has_purchase'
            WHEN t.type IN ('REFUND', 'DISPUTE') THEN 'reversal_has_purchase'
            WHEN t.reference IS NULL OR t.reason IS NULL THEN 'adjustment_has_reference'
            ELSE 'adjustment_has_actor'
        END;
END
$$;

ALTER TABLE credit_accounts ADD CONSTRAINT ck_credit_accounts_sound CHECK (credit_account_is_sound(credit_accounts));
ALTER TABLE credit_holds ADD CONSTRAINT ck_credit_holds_sound CHECK (credit_hold_is_sound(credit_holds));
ALTER TABLE credit_transactions ADD CONSTRAINT ck_credit_transactions_sound CHECK (credit_line_is_sound(credit_transactions));
