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
#variable_conflict use_column
DECLARE
    t credit_transactions;
    v_account_at tid;
    v_held bigint;
    v_low_balance bigint;
    v_head bytea;
    v_now timestamptz;
    v_free bigint;
BEGIN
    IF (p_user = nullif(current_setting('talktime.user_id', true), '')::uuid
        AND p_amount <> 0 AND p_amount BETWEEN -1000000000000 AND 1000000000000 AND p_actor IS NOT NULL AND p_reason ~ '\S'
        AND p_reference ~ '^(?!(correction|rent|refund|dispute|payout):).*\S') IS NOT TRUE THEN
        PERFORM assert_tenant(p_user);
        IF p_amount IS NULL OR p_amount = 0 OR p_amount NOT BETWEEN -1000000000000 AND 1000000000000 THEN
            RAISE EXCEPTION 'an adjustment is 1 to 1,000,000,000,000 credits either way, not %', p_amount USING ERRCODE = 'TT422';
        END IF;
        IF coalesce(p_reference, '') !~ '\S' OR coalesce(p_reason, '') !~ '\S' OR p_actor IS NULL THEN
            RAISE EXCEPTION 'an adjustment needs a reference, a reason and who makes it' USING ERRCODE = 'TT422';
        END IF;
        IF p_reference ~ '^(correction|rent|refund|dispute|payout):' THEN
            RAISE EXCEPTION 'references beginning with % are the system''s own', split_part(p_reference, ':', 1)
                USING ERRCODE = 'TT422';
        END IF;
    END IF;
    -- (A locked row stays where it is, and is written there below.)
    SELECT a.ctid, a.seq + 1, p_amount, a.balance + p_amount, a.held, a.low_balance, a.head, clock_timestamp()
    INTO v_account_at, seq, amount, balance_after, v_held, v_low_balance, v_head, v_now
    FROM credit_accounts a WHERE a.user_id = p_user FOR NO KEY UPDATE;
    IF v_account_at IS NULL OR p_amount < 0 THEN
        IF v_account_at IS NULL THEN
            PERFORM credit_lock(p_user);
            SELECT a.ctid, a.seq + 1, p_amount, a.balance + p_amount, a.held, a.low_balance, a.head, clock_timestamp()
            INTO v_account_at, seq, amount, balance_after, v_held, v_low_balance, v_head, v_now
            FROM credit_accounts a WHERE a.user_id = p_user;
        END IF;
        v_free := greatest(0, balance_after - p_amount - v_held);
        -- What is missing to the grace line becomes debt, however little there was before: only to who insists on it.
        IF p_amount < -v_free AND p_as_debt IS NOT TRUE
            AND NOT EXISTS (SELECT FROM credit_transactions c WHERE c.user_id = p_user AND c.reference = p_reference) THEN
            RAISE EXCEPTION 'only % credits are free to be taken, not %', v_free, -p_amount USING ERRCODE = 'TT402';
        END IF;
    END IF;
    v_head := credit_line_hash(v_head, p_user, seq, 'ADMIN_ADJUSTMENT', p_amount, balance_after, NULL, NULL, p_reference, p_reason,
                               p_actor, v_now);
    INSERT INTO credit_transactions (
        user_id, seq, type, amount, balance_after, reference, reason, actor_id, created_at, hash
    ) VALUES (
        p_user, adjust_v1.seq, 'ADMIN_ADJUSTMENT', p_amount, adjust_v1.balance_after, p_reference, p_reason, p_actor, v_now, v_head
    ) ON CONFLICT (user_id, reference) WHERE reference IS NOT NULL DO NOTHING;
    fresh := FOUND;
    IF fresh THEN
        -- Debt is what is missing to the grace line; whether it may grow was decided before.
        UPDATE credit_accounts SET
            balance = adjust_v1.balance_after, seq = adjust_v1.seq, head = v_head,
            clawback_debt = greatest(0, held - grace_limit - adjust_v1.balance_after)
        WHERE ctid = v_account_at;
        IF NOT FOUND OR v_low_balance > balance_after THEN
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the account of user % moved under its lock', p_user;
            END IF;
            IF v_low_balance <= balance_after - p_amount THEN
                PERFORM credit_notice(p_user, 'low_balance', adjust_v1.seq::text, jsonb_build_object(
                    'balance', adjust_v1.balance_after, 'threshold', v_low_balance
                ));
            END IF;
        END IF;
    ELSE
        SELECT * INTO STRICT t FROM credit_transactions c WHERE c.user_id = p_user AND c.reference = p_reference;
        IF t.type <> 'ADMIN_ADJUSTMENT' OR t.amount <> p_amount OR t.reason <> p_reason OR t.actor_id IS DISTINCT FROM p_actor THEN
            RAISE EXCEPTION 'reference % was used for another line', p_reference USING ERRCODE = 'TT409';
        END IF;
        seq := t.seq;
        amount := t.amount;
        balance_after := t.balance_after;
    END IF;
END
$$;

-- A payment company took money back (`p_credits` above zero) or gave it back (below). What remains of the purchase is the
-- most that is taken; the rest is the operator's loss, recorded and alerted. It works in every state of an account, and
-- what it takes below the grace line is debt: nothing starts or extends until it is paid.
CREATE FUNCTION reverse_v1(
    p_user uuid, p_purchase uuid, p_type transaction_type, p_reference text, p_credits bigint,
    OUT fresh boolean, OUT taken bigint, OUT lost bigint, OUT balance bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    v_purchase purchases;
    v_known credit_reversals;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_credits IS NULL OR p_credits = 0 OR p_credits NOT BETWEEN -1000000000000 AND 1000000000000 THEN
        RAISE EXCEPTION 'a reversal is 1 to 1,000,000,000,000 credits either way, not %', p_credits USING ERRCODE = 'TT422';
    END IF;
    IF (p_type = 'REFUND' AND p_reference ~ '^refund:[^:\s]+(:failed)?$') IS NOT TRUE
        AND (p_type = 'DISPUTE' AND p_reference ~ '^dispute:[^:\s]+:(withdrawn|reinstated)$') IS NOT TRUE THEN
        RAISE EXCEPTION 'a % is not referred to as %', p_type, p_reference USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    SELECT * INTO v_purchase FROM purchases p WHERE p.user_id = p_user AND p.id = p_purchase FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no purchase %', p_purchase USING ERRCODE = 'TT404';
    END IF;
    SELECT * INTO v_known FROM credit_reversals r WHERE r.user_id = p_user AND r.reference = p_reference;
    fresh := NOT FOUND;
    IF NOT fresh THEN
        IF v_known.purchase_id <> p_purchase OR v_known.type <> p_type OR v_known.asked <> p_credits THEN
            RAISE EXCEPTION 'reference % was used for another reversal', p_reference USING ERRCODE = 'TT409';
        END IF;
        taken := v_known.taken;
        lost := greatest(0, v_known.asked - v_known.taken);
        balance := a.balance;
        RETURN;
    END IF;
    IF v_purchase.credited_at IS NULL THEN
        RAISE EXCEPTION 'purchase % was never credited', p_purchase USING ERRCODE = 'TT409';
    END IF;
    taken := CASE
        WHEN p_credits > 0 THEN least(p_credits, v_purchase.credits - v_purchase.reversed_credits)
        ELSE greatest(p_credits, -v_purchase.reversed_credits)
    END;
    lost := greatest(0, p_credits - taken);
    INSERT INTO credit_reversals (user_id, reference, purchase_id, type, asked, taken)
    VALUES (p_user, p_reference, p_purchase, p_type, p_credits, taken);
    IF taken <> 0 THEN
        UPDATE purchases p SET reversed_credits = p.reversed_credits + taken WHERE p.user_id = p_user AND p.id = p_purchase;
        a.clawback_debt := greatest(a.clawback_debt, -a.grace_limit - (a.balance - taken - a.held));
        a := credit_append(a, p_type, -taken, NULL, p_purchase, p_reference, NULL, NULL);
        PERFORM credit_store(a);
    END IF;
    IF lost > 0 THEN
        PERFORM credit_alert(p_user, 'reversal_short', jsonb_build_object(
            'purchase_id', p_purchase, 'reference', p_reference, 'credits', lost
        ));
    END IF;
    balance := a.balance;
END
$$;

-- A call is to have cost `p_rated` in all: post the difference. Upwards only as far as what was held for it, and what is
-- free, allow; the rest stays unbilled. Gives the account as it is afterwards, which the caller stores.
CREATE FUNCTION credit_recharge(
    INOUT a credit_accounts, INOUT h credit_holds, p_rated bigint, p_reason text, p_actor uuid, OUT delta bigint
) LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_cost bigint := h.charged + h.corrected;
    v_unbilled bigint := h.unbilled;
    v_today date;
    v_zone text;
BEGIN
    delta := p_rated - v_cost;
    IF delta > 0 THEN
        delta := greatest(0, least(delta, h.held_peak - v_cost, a.balance - a.held + a.grace_limit));
    END IF;
    IF delta <> 0 THEN
        SELECT u.zone INTO v_zone FROM users u WHERE u.id = a.user_id;
        v_today := (clock_timestamp() AT TIME ZONE v_zone)::date;
        IF (h.settled_at AT TIME ZONE v_zone)::date = v_today THEN
            a := credit_spend(a, delta);
        END IF;
        h.corrections := h.corrections + 1;
        h.corrected := h.corrected + delta;
        a := credit_append(
            a, 'ADMIN_ADJUSTMENT', -delta, h.call_id, NULL, 'correction:' || h.call_id || ':' || h.corrections, p_reason, p_actor
        );
    END IF;
    h.unbilled := greatest(0, p_rated - h.charged - h.corrected);
    UPDATE credit_holds u SET
        corrections = h.corrections, corrected = h.corrected, unbilled = h.unbilled,
        corrected_seconds = h.corrected_seconds, not_charged_reason = h.not_charged_reason
    WHERE u.user_id = h.user_id AND u.call_id = h.call_id;
    IF h.unbilled > v_unbilled THEN
        PERFORM credit_alert(a.user_id, 'call_unbilled', jsonb_build_object(
            'call_id', h.call_id, 'credits', h.unbilled - v_unbilled
        ));
    END IF;
END
$$;

-- The hold of a call that is settled, locked after its account; an error when there is none, or none yet.
CREATE FUNCTION credit_settled_hold(p_user uuid, p_call uuid) RETURNS credit_holds
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    h credit_holds;
BEGIN
    SELECT * INTO h FROM credit_holds x WHERE x.user_id = p_user AND x.call_id = p_call FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no hold for call %', p_call USING ERRCODE = 'TT404';
    END IF;
    IF h.settled_at IS NULL THEN
        RAISE EXCEPTION 'call % is not settled yet', p_call USING ERRCODE = 'TT409';
    END IF;
    RETURN h;
END
$$;

-- The carrier measured another duration than we: charge the difference, as a line of its own. The same duration again
-- changes nothing, and neither does a call that was never answered or is not charged for a reason.
CREATE FUNCTION correct_v1(
    p_user uuid, p_call uuid, p_seconds integer,
    OUT fresh boolean, OUT amount bigint, OUT charged bigint, OUT unbilled bigint, OUT balance bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    h credit_holds;
    r record;
    v_delta bigint := 0;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_seconds IS NULL OR p_seconds < 0 OR p_seconds > 1000000 THEN
        RAISE EXCEPTION 'a call lasts 0 to 1,000,000 seconds, not %', p_seconds USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    h := credit_settled_hold(p_user, p_call);
    fresh := h.state = 'SETTLED' AND h.not_charged_reason IS NULL
        AND p_seconds <> coalesce(h.corrected_seconds, h.settled_seconds);
    IF fresh THEN
        h.corrected_seconds := p_seconds;
        SELECT * INTO r FROM credit_recharge(
            a, h,
            credit_cost(p_seconds, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, h.free_seconds),
            format('the carrier measured %s s, we %s s', p_seconds, h.settled_seconds), NULL
        );
        a := r.a;
        h := r.h;
        v_delta := r.delta;
        PERFORM credit_store(a);
    END IF;
    amount := -v_delta;
    charged := h.charged + h.corrected;
    unbilled := h.unbilled;
    balance := a.balance;
END
$$;

-- The operator does not charge a call, and says why: what it cost is given back. The same reason again changes nothing.
CREATE FUNCTION waive_v1(
    p_user uuid, p_call uuid, p_reason text, p_actor uuid,
    OUT fresh boolean, OUT amount bigint, OUT balance bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    h credit_holds;
    r record;
    v_delta bigint := 0;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_reason IS NULL OR p_reason NOT IN ('platform_fault', 'wrong_number', 'spam', 'not_a_call') OR p_actor IS NULL THEN
        RAISE EXCEPTION 'a call is not charged because of platform_fault, wrong_number, spam or not_a_call, and by somebody'
            USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    h := credit_settled_hold(p_user, p_call);
    IF h.state <> 'SETTLED' THEN
        RAISE EXCEPTION 'call % was never charged', p_call USING ERRCODE = 'TT409';
    END IF;
    fresh := h.not_charged_reason IS NULL;
    IF fresh THEN
        h.not_charged_reason := p_reason;
        SELECT * INTO r FROM credit_recharge(a, h, 0, 'not charged: ' || p_reason, p_actor);
        a := r.a;
        v_delta := r.delta;
        PERFORM credit_store(a);
    ELSIF h.not_charged_reason <> p_reason THEN
        RAISE EXCEPTION 'call % is not charged already, because of %', p_call, h.not_charged_reason USING ERRCODE = 'TT409';
    END IF;
    amount := -v_delta;
    balance := a.balance;
END
$$;

-- "This was not a real call", says the customer. Given back at once when it was under 30 seconds, up to three times in a
-- month of the customer's zone; else the operator decides. Asked again, the first answer.
CREATE FUNCTION claim_v1(
    p_user uuid, p_call uuid, p_reason text, OUT fresh boolean, OUT state claim_state, OUT credits bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    h credit_holds;
    r record;
    v_claim charge_claims;
    v_now timestamptz;
    v_month timestamptz;
    v_granted integer;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_reason IS NULL OR p_reason NOT IN ('wrong_number', 'spam', 'not_a_call') THEN
        RAISE EXCEPTION 'a call was not real because of wrong_number, spam or not_a_call' USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    SELECT * INTO v_claim FROM charge_claims c WHERE c.user_id = p_user AND c.call_id = p_call;
    fresh := NOT FOUND;
    IF NOT fresh THEN
        state := v_claim.state;
        credits := v_claim.credits;
        RETURN;
    END IF;
    h := credit_settled_hold(p_user, p_call);
    credits := h.charged + h.corrected;
    IF credits = 0 THEN
        RAISE EXCEPTION 'call % cost nothing', p_call USING ERRCODE = 'TT409';
    END IF;
    v_now := clock_timestamp();
    SELECT date_trunc('month', v_now AT TIME ZONE u.zone) AT TIME ZONE u.zone INTO v_month FROM users u WHERE u.id = p_user;
    SELECT count(*) INTO v_granted FROM charge_claims c WHERE c.user_id = p_user AND c.automatic AND c.created_at >= v_month;
    state := CASE WHEN coalesce(h.corrected_seconds, h.settled_seconds) < 30 AND v_granted < 3
        THEN 'GRANTED' ELSE 'REQUESTED' END;
    INSERT INTO charge_claims (user_id, call_id, reason, state, automatic, credits, created_at, decided_at)
    VALUES (p_user, p_call, p_reason, claim_v1.state, claim_v1.state = 'GRANTED', claim_v1.credits, v_now,
            CASE WHEN claim_v1.state = 'GRANTED' THEN v_now END);
    IF state = 'GRANTED' THEN
        h.not_charged_reason := p_reason;
        SELECT * INTO r FROM credit_recharge(a, h, 0, 'not charged: ' || p_reason, NULL);
        a := r.a;
        PERFORM credit_store(a);
    ELSE
        PERFORM credit_alert(p_user, 'charge_claimed', jsonb_build_object('call_id', p_call, 'credits', credits));
    END IF;
END
$$;

-- The operator decides a claim, once.
CREATE FUNCTION decide_claim_v1(
    p_user uuid, p_call uuid, p_grant boolean, p_actor uuid, p_note text,
    OUT fresh boolean, OUT state claim_state, OUT amount bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_claim charge_claims;
    v_now timestamptz;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_grant IS NULL OR p_actor IS NULL THEN
        RAISE EXCEPTION 'a decision is yes or no, and somebody''s' USING ERRCODE = 'TT422';
    END IF;
    PERFORM credit_lock(p_user);
    SELECT * INTO v_claim FROM charge_claims c WHERE c.user_id = p_user AND c.call_id = p_call FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nobody said that call % was not real', p_call USING ERRCODE = 'TT404';
    END IF;
    state := CASE WHEN p_grant THEN 'GRANTED' ELSE 'REFUSED' END;
    fresh := v_claim.state = 'REQUESTED';
    IF NOT fresh AND v_claim.state <> state THEN
        RAISE EXCEPTION 'the claim was % already', lower(v_claim.state::text) USING ERRCODE = 'TT409';
    END IF;
    amount := 0;
    IF fresh THEN
        v_now := clock_timestamp();
        UPDATE charge_claims c SET state = decide_claim_v1.state, decided_at = v_now, decided_by = p_actor, note = p_note
        WHERE c.user_id = p_user AND c.call_id = p_call;
        IF p_grant AND NOT EXISTS (
            SELECT FROM credit_holds h WHERE h.user_id = p_user AND h.call_id = p_call AND h.not_charged_reason IS NOT NULL
        ) THEN
            SELECT w.amount INTO amount FROM waive_v1(p_user, p_call, v_claim.reason, p_actor) w;
        END IF;
        PERFORM credit_notice(p_user, 'charge_claim_decided', p_call::text, jsonb_build_object(
            'call_id', p_call, 'granted', p_grant
        ));
    END IF;
END
$$;

-- What is left on a closed account is paid out by the operator: the whole balance leaves the books, once.
CREATE FUNCTION payout_v1(
    p_user uuid, p_reference text, p_actor uuid, OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    t credit_transactions;
BEGIN
    PERFORM assert_tenant(p_user);
    IF btrim(coalesce(p_reference, '')) = '' OR p_actor IS NULL THEN
        RAISE EXCEPTION 'a payout needs a reference and who makes it' USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    SELECT * INTO t FROM credit_transactions c WHERE c.user_id = p_user AND c.reference = 'payout:' || p_reference;
    fresh := NOT FOUND;
    IF fresh THEN
        IF a.blocked_reason IS DISTINCT FROM 'closed' THEN
            RAISE EXCEPTION 'only a closed account is paid out: close it first' USING ERRCODE = 'TT409';
        END IF;
        IF a.held > 0 OR EXISTS (SELECT FROM credit_holds h WHERE h.user_id = p_user AND h.settled_at IS NULL) THEN
            RAISE EXCEPTION 'calls of this account are not settled yet' USING ERRCODE = 'TT409';
        END IF;
        -- After so long the company is not asked again under the same key: what it did by then, its events have told.
        IF EXISTS (
            SELECT FROM refund_requests r
            WHERE r.user_id = p_user AND r.state = 'ASKED' AND r.created_at > clock_timestamp() - interval '20 hours'
        ) THEN
            RAISE EXCEPTION 'a refund to this customer is on its way: wait for it, then pay out what is left'
                USING ERRCODE = 'TT409';
        END IF;
        IF a.balance <= 0 THEN
            RAISE EXCEPTION 'there is nothing to pay out: the balance is %', a.balance USING ERRCODE = 'TT402';
        END IF;
        a := credit_append(
            a, 'ADMIN_ADJUSTMENT', -a.balance, NULL, NULL, 'payout:' || p_reference, 'payout of what is left at closing', p_actor
        );
        PERFORM credit_store(a);
        SELECT * INTO STRICT t FROM credit_transactions c WHERE c.user_id = p_user AND c.seq = a.seq;
    END IF;
    seq := t.seq;
    amount := t.amount;
    balance_after := t.balance_after;
END
$$;

-- What a number costs in a month, once per number and month, whatever is free: rent that nobody can pay is debt.
CREATE FUNCTION rent_v1(
    p_user uuid, p_number uuid, p_month date, p_credits bigint,
    OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    t credit_transactions;
    v_reference text := 'rent:' || p_number || ':' || to_char(p_month, 'YYYY-MM');
BEGIN
    PERFORM assert_tenant(p_user);
    IF v_reference IS NULL OR p_credits IS NULL OR p_credits NOT BETWEEN 1 AND 1000000000000 THEN
        RAISE EXCEPTION 'rent is for a number and a month, and 1 to 1,000,000,000,000 credits' USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    SELECT * INTO t FROM credit_transactions c WHERE c.user_id = p_user AND c.reference = v_reference;
    fresh := NOT FOUND;
    IF fresh THEN
        a.clawback_debt := greatest(a.clawback_debt, -a.grace_limit - (a.balance - p_credits - a.held));
        a := credit_append(
            a, 'ADMIN_ADJUSTMENT', -p_credits, NULL, NULL, v_reference, 'rent of a number for ' || to_char(p_month, 'YYYY-MM'), NULL
        );
        PERFORM credit_store(a);
        SELECT * INTO STRICT t FROM credit_transactions c WHERE c.user_id = p_user AND c.seq = a.seq;
    ELSIF t.amount <> -p_credits THEN
        RAISE EXCEPTION 'the rent of this month was % credits', -t.amount USING ERRCODE = 'TT409';
    END IF;
    seq := t.seq;
    amount := t.amount;
    balance_after := t.balance_after;
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

-- Nothing starts or extends on a blocked account; NULL unblocks. What is due is still settled and taken in. What was closed
-- stays closed.
CREATE FUNCTION block_v1(p_user uuid, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
BEGIN
    PERFORM assert_tenant(p_user);
    IF btrim(p_reason) = '' THEN
        RAISE EXCEPTION 'an account is blocked for a reason' USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    IF a.blocked_reason = 'closed' AND p_reason IS DISTINCT FROM 'closed' THEN
        RAISE EXCEPTION 'a closed account stays closed' USING ERRCODE = 'TT409';
    END IF;
    a.blocked_reason := p_reason;
    PERFORM credit_store(a);
END
$$;

-- The customer's own guards: at most so many credits a day, a call, a caller and day. NULL is none. A lowered guard ends
-- no call before its grant.
CREATE FUNCTION set_guards_v1(p_user uuid, p_day bigint, p_call bigint, p_caller bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_day NOT BETWEEN 0 AND 1000000000000 OR p_call NOT BETWEEN 0 AND 1000000000000
        OR p_caller NOT BETWEEN 0 AND 1000000000000 THEN
        RAISE EXCEPTION 'a limit is 0 to 1,000,000,000,000 credits, or none' USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    a.day_limit := p_day;
    a.call_limit := p_call;
    a.caller_limit := p_caller;
    PERFORM credit_store(a);
END
$$;

-- Tell the customer when the balance falls below this; NULL never.
CREATE FUNCTION set_low_balance_v1(p_user uuid, p_threshold bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_threshold NOT BETWEEN 0 AND 1000000000000 THEN
        RAISE EXCEPTION 'a threshold is 0 to 1,000,000,000,000 credits, or none' USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    a.low_balance := p_threshold;
    PERFORM credit_store(a);
END
$$;

-- An account is closed: nothing starts any more, and what runs is cut off now. Gives the calls that are to be hung up.
CREATE FUNCTION close_v1(p_user uuid) RETURNS TABLE (call_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    v_now timestamptz;
BEGIN
    PERFORM assert_tenant(p_user);
    a := credit_lock(p_user);
    a.blocked_reason := 'closed';
    PERFORM credit_store(a);
    v_now := clock_timestamp();
    -- In the order in which heartbeats lock them.
    PERFORM FROM credit_holds h WHERE h.user_id = p_user AND h.settled_at IS NULL ORDER BY h.call_id FOR NO KEY UPDATE;
    RETURN QUERY UPDATE credit_holds h SET
        cut_claimed_at = coalesce(h.cut_claimed_at, v_now), cut_at = least(h.cut_at, v_now)
    WHERE h.user_id = p_user AND h.settled_at IS NULL
    RETURNING h.call_id;
END
$$;
