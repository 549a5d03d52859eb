-- Money that comes in, and what the operator may do by hand.

-- A paid purchase becomes credits, exactly once, at any balance: it settles grace by arithmetic.
CREATE FUNCTION purchase_v1(
    p_user uuid, p_purchase uuid, OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    v_purchase purchases;
    v_now timestamptz;
BEGIN
    PERFORM assert_tenant(p_user);
    a := credit_lock(p_user);
    SELECT * INTO v_purchase FROM purchases p WHERE p.user_id = p_user AND p.id = p_purchase FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no purchase %', p_purchase USING ERRCODE = 'TT404';
    END IF;
    IF v_purchase.state <> 'PAID' THEN
        RAISE EXCEPTION 'purchase % is not paid but %', p_purchase, v_purchase.state USING ERRCODE = 'TT409';
    END IF;
    fresh := v_purchase.credited_at IS NULL;
    IF fresh THEN
        a := credit_append(a, 'PURCHASE', v_purchase.credits, NULL, p_purchase, NULL, NULL, NULL);
        PERFORM credit_store(a);
        v_now := clock_timestamp();
        UPDATE purchases p SET credited_at = v_now WHERE p.user_id = p_user AND p.id = p_purchase;
    END IF;
    SELECT t.seq, t.amount, t.balance_after INTO STRICT seq, amount, balance_after
    FROM credit_transactions t WHERE t.user_id = p_user AND t.purchase_id = p_purchase AND t.type = 'PURCHASE';
END
$$;

-- The operator gives or takes credits. Taking may use only what is free; `p_as_debt` insists. The reference makes it
-- happen once: the same words again get the first answer, other words an error.
CREATE FUNCTION adjust_v1(
    p_user uuid, p_reference text, p_amount bigint, p_reason text, p_actor uuid, p_as_debt boolean DEFAULT false,
    OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    t credit_transactions;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_amount IS NULL OR p_amount = 0 OR p_amount NOT BETWEEN -1000000000000 AND 1000000000000 THEN
        RAISE EXCEPTION 'an adjustment is 1 to 1,000,000,000,000 credits either way, not %', p_amount USING ERRCODE = 'TT422';
    END IF;
    IF btrim(coalesce(p_reference, '')) = '' OR btrim(coalesce(p_reason, '')) = '' OR p_actor IS NULL THEN
        RAISE EXCEPTION 'an adjustment needs a reference, a reason and who makes it' USING ERRCODE = 'TT422';
    END IF;
    IF p_reference ~ '^(correction|rent|refund|dispute):' THEN
        RAISE EXCEPTION 'references beginning with % are the system''s own', split_part(p_reference, ':', 1)
            USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    SELECT * INTO t FROM credit_transactions c WHERE c.user_id = p_user AND c.reference = p_reference;
    fresh := NOT FOUND;
    IF fresh THEN
        IF p_amount < -greatest(0, a.balance - a.held) THEN
            IF NOT p_as_debt THEN
                RAISE EXCEPTION 'only % credits are free to be taken, not %', greatest(0, a.balance - a.held), -p_amount
                    USING ERRCODE = 'TT402';
            END IF;
            a.clawback_debt := greatest(a.clawback_debt, -a.grace_limit - (a.balance + p_amount - a.held));
        END IF;
        a := credit_append(a, 'ADMIN_ADJUSTMENT', p_amount, NULL, NULL, p_reference, p_reason, p_actor);
        PERFORM credit_store(a);
        seq := a.seq;
        amount := p_amount;
        balance_after := a.balance;
    ELSIF t.type <> 'ADMIN_ADJUSTMENT' OR t.amount <> p_amount OR t.reason <> p_reason OR t.actor_id <> p_actor THEN
        RAISE EXCEPTION 'reference % was used for another line', p_reference USING ERRCODE = 'TT409';
    ELSE
        seq := t.seq;
        amount := t.amount;
        balance_after := t.balance_after;
    END IF;
END
$$;

-- How far running calls may go below zero, and how many may run at once; NULL leaves one as it is. A lowered grace line
-- that is already crossed becomes debt; a lowered cap ends nothing.
CREATE FUNCTION set_limits_v1(
    p_user uuid, p_grace_limit bigint DEFAULT NULL, p_max_open_calls integer DEFAULT NULL,
    OUT grace_limit bigint, OUT max_open_calls integer, OUT clawback_debt bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_grace_limit NOT BETWEEN 0 AND 1000000000000 OR p_max_open_calls NOT BETWEEN 0 AND 100000 THEN
        RAISE EXCEPTION 'grace is 0 to 1,000,000,000,000 credits and the cap 0 to 100,000 calls' USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    a.grace_limit := coalesce(p_grace_limit, a.grace_limit);
    a.max_open_calls := coalesce(p_max_open_calls, a.max_open_calls);
    a.clawback_debt := greatest(0, -a.grace_limit - (a.balance - a.held));
    PERFORM credit_store(a);
    grace_limit := a.grace_limit;
    max_open_calls := a.max_open_calls;
    clawback_debt := a.clawback_debt;
END
$$;

-- Nothing starts or extends on a blocked account; NULL unblocks. What is due is still settled and taken in.
CREATE FUNCTION block_v1(p_user uuid, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
BEGIN
    PERFORM assert_tenant(p_user);
    a := credit_lock(p_user);
    a.blocked_reason := nullif(btrim(p_reason), '');
    PERFORM credit_store(a);
END
$$;
