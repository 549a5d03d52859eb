-- The life of a charge: authorise, answer, heartbeat, extend, cut, settle, lose. Each is one transaction's worth and can
-- be asked again: the second time gets the first one's answer.

-- The price that holds for a user now: the newest of their own that is valid, else the newest of everybody's.
CREATE FUNCTION credit_price(p_user uuid, p_at timestamptz) RETURNS prices
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_price prices;
BEGIN
    SELECT * INTO v_price FROM prices WHERE user_id = p_user AND valid_from <= p_at ORDER BY valid_from DESC, id DESC LIMIT 1;
    IF NOT FOUND THEN
        SELECT * INTO v_price FROM prices WHERE user_id IS NULL AND valid_from <= p_at ORDER BY valid_from DESC, id DESC LIMIT 1;
    END IF;
    RETURN v_price;
END
$$;

-- May this call begin? Holds the first slice when it may; keeps the refusal when not, so that the same call gets the
-- same answer. Reasons: blocked, too_many_calls, debt, no_credit, no_price; over (it ended before).
CREATE FUNCTION authorise_v1(
    p_user uuid, p_call uuid, p_price uuid DEFAULT NULL,
    OUT allowed boolean, OUT reason text, OUT granted_seconds integer, OUT held bigint, OUT fresh boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    h credit_holds;
    v_price prices;
    v_now timestamptz;
    v_free bigint;
    v_grant bigint := 0;
BEGIN
    PERFORM assert_tenant(p_user);
    a := credit_lock(p_user);
    SELECT * INTO h FROM credit_holds WHERE user_id = p_user AND call_id = p_call FOR NO KEY UPDATE;
    IF FOUND THEN
        allowed := h.state NOT IN ('DENIED', 'SETTLED', 'RELEASED');
        reason := CASE WHEN h.state = 'DENIED' THEN h.denied_reason WHEN NOT allowed THEN 'over' END;
        granted_seconds := h.granted_seconds;
        held := h.held;
        fresh := false;
        RETURN;
    END IF;

    v_now := clock_timestamp();
    IF p_price IS NULL THEN
        v_price := credit_price(p_user, v_now);
    ELSE
        SELECT * INTO v_price FROM prices WHERE id = p_price AND (user_id IS NULL OR user_id = p_user);
    END IF;
    v_free := a.balance - a.held;
    reason := CASE
        WHEN v_price.id IS NULL THEN 'no_price'
        WHEN a.blocked_reason IS NOT NULL THEN 'blocked'
        WHEN a.open_calls >= a.max_open_calls THEN 'too_many_calls'
        WHEN a.clawback_debt > 0 THEN 'debt'
    END;
    IF reason IS NULL THEN
        -- A free price needs no balance; grace never starts a call.
        v_grant := v_price.initial_seconds
            + credit_steps(greatest(0, 60 - v_price.initial_seconds), v_price.increment_seconds);
        IF credit_cost(v_grant, v_price.credits_per_minute, v_price.connection_fee,
                       v_price.initial_seconds, v_price.increment_seconds, 0) > greatest(v_free, 0) THEN
            v_grant := credit_affords(greatest(v_free, 0), v_price.credits_per_minute, v_price.connection_fee,
                                      v_price.initial_seconds, v_price.increment_seconds);
        END IF;
        IF v_grant = 0 THEN
            reason := 'no_credit';
        END IF;
    END IF;

    allowed := reason IS NULL;
    granted_seconds := CASE WHEN allowed THEN v_grant ELSE 0 END;
    held := CASE WHEN allowed THEN credit_cost(
        v_grant, v_price.credits_per_minute, v_price.connection_fee,
        v_price.initial_seconds, v_price.increment_seconds, 0
    ) ELSE 0 END;
    fresh := true;
    INSERT INTO credit_holds (
        user_id, call_id, price_id, credits_per_minute, connection_fee, initial_seconds, increment_seconds, free_seconds,
        state, denied_reason, granted_seconds, held, held_peak, lease_until, settled_at, created_at
    ) VALUES (
        p_user, p_call, v_price.id, coalesce(v_price.credits_per_minute, 0), coalesce(v_price.connection_fee, 0),
        coalesce(v_price.initial_seconds, 60), coalesce(v_price.increment_seconds, 60), coalesce(v_price.free_seconds, 0),
        CASE WHEN allowed THEN 'AUTHORISED' ELSE 'DENIED' END::hold_state, reason, granted_seconds, held, held,
        CASE WHEN allowed THEN v_now + interval '120 seconds' END, CASE WHEN NOT allowed THEN v_now END, v_now
    );
    IF allowed THEN
        a := credit_spend(a, held);
        a.held := a.held + held;
        a.open_calls := a.open_calls + 1;
        PERFORM credit_store(a);
    END IF;
END
$$;

-- The call was answered: the process `p_owner` claims its hold, once. Asked again, by anyone, it says no.
CREATE FUNCTION answer_v1(
    p_user uuid, p_call uuid, p_owner text,
    OUT claimed boolean, OUT granted_seconds integer, OUT cut_at timestamptz
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    PERFORM assert_tenant(p_user);
    IF coalesce(p_owner, '') = '' THEN
        RAISE EXCEPTION 'an owner is needed' USING ERRCODE = 'TT422';
    END IF;
    UPDATE credit_holds h SET
        state = 'ACTIVE', lease_owner = p_owner, lease_until = v_now + interval '45 seconds',
        cut_at = v_now + (h.granted_seconds - 3) * interval '1 second'
    WHERE h.user_id = p_user AND h.call_id = p_call AND h.state = 'AUTHORISED'
    RETURNING h.granted_seconds, h.cut_at INTO granted_seconds, cut_at;
    claimed := FOUND;
END
$$;

-- A sign of life of the owner: renews the leases of its calls and writes the talk that is proven. Gives back the calls
-- that are still its own; one that is missing was lost in between, and `extend_v1` brings it back while it is unsettled.
CREATE FUNCTION heartbeat_v1(p_owner text, p_users uuid[], p_calls uuid[], p_used integer[])
RETURNS TABLE (user_id uuid, call_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := clock_timestamp();
    v_user uuid;
BEGIN
    FOREACH v_user IN ARRAY p_users LOOP
        PERFORM assert_tenant(v_user);
    END LOOP;
    RETURN QUERY
    WITH beat AS (
        SELECT h.user_id, h.call_id, b.used
        FROM unnest(p_users, p_calls, p_used) AS b (user_id, call_id, used)
        JOIN credit_holds h ON h.user_id = b.user_id AND h.call_id = b.call_id
        WHERE h.settled_at IS NULL AND h.lease_owner = p_owner AND h.state IN ('ACTIVE', 'FINAL')
        ORDER BY h.user_id, h.call_id
        FOR NO KEY UPDATE OF h
    )
    UPDATE credit_holds h SET
        lease_until = v_now + interval '45 seconds', used_seconds = greatest(h.used_seconds, beat.used)
    FROM beat WHERE h.user_id = beat.user_id AND h.call_id = beat.call_id
    RETURNING h.user_id, h.call_id;
END
$$;

-- More time for a running call. The owner is checked first, then the request's number: a repeat gets the stored answer
-- and an older one changes nothing. Less than a whole slice makes the hold FINAL; a top-up brings it back.
CREATE FUNCTION extend_v1(
    p_user uuid, p_call uuid, p_owner text, p_request_no integer, p_slice_seconds integer DEFAULT 60,
    OUT extended boolean, OUT state hold_state, OUT granted_seconds integer, OUT cut_at timestamptz, OUT held bigint,
    OUT reason text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    h credit_holds;
    v_now timestamptz;
    v_free bigint;
    v_grant bigint;
    v_held bigint;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_request_no IS NULL OR p_request_no < 1 OR p_slice_seconds NOT BETWEEN 1 AND 3600 THEN
        RAISE EXCEPTION 'a request has a number from 1 up, and a slice 1 to 3600 seconds' USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    SELECT * INTO h FROM credit_holds WHERE user_id = p_user AND call_id = p_call FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no hold for call %', p_call USING ERRCODE = 'TT404';
    END IF;
    IF h.lease_owner IS DISTINCT FROM p_owner THEN
        RAISE EXCEPTION 'call % is owned by another process', p_call USING ERRCODE = 'TT410';
    END IF;
    extended := false;
    reason := CASE
        WHEN h.settled_at IS NOT NULL THEN 'over'
        WHEN p_request_no = h.request_no THEN 'repeated'
        WHEN p_request_no < h.request_no THEN 'stale'
        WHEN h.cut_claimed_at IS NOT NULL THEN 'cut'
    END;
    IF reason IS NULL THEN
        v_now := clock_timestamp();
        IF h.state = 'RECONCILE' THEN
            -- Its owner was away longer than its lease and is back: the slot was given up, the money is still here.
            a.open_calls := a.open_calls + 1;
        END IF;
        v_grant := h.granted_seconds + credit_steps(p_slice_seconds, h.increment_seconds);
        v_held := credit_cost(v_grant, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, 0);
        v_free := greatest(0, a.balance - a.held + a.grace_limit);
        IF a.blocked_reason IS NOT NULL OR a.clawback_debt > 0 THEN
            v_grant := h.granted_seconds;
            v_held := h.held;
            h.state := 'FINAL';
            reason := CASE WHEN a.blocked_reason IS NOT NULL THEN 'blocked' ELSE 'debt' END;
        ELSIF v_held - h.held <= v_free THEN
            h.state := 'ACTIVE';
        ELSE
            v_grant := greatest(h.granted_seconds, credit_affords(
                h.held + v_free, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds
            ));
            v_held := greatest(h.held, credit_cost(
                v_grant, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, 0
            ));
            h.state := 'FINAL';
            reason := 'no_credit';
        END IF;
        extended := v_grant > h.granted_seconds;
        a := credit_spend(a, v_held - h.held);
        a.held := a.held + (v_held - h.held);
        h.cut_at := h.cut_at + (v_grant - h.granted_seconds) * interval '1 second';
        h.granted_seconds := v_grant;
        h.held := v_held;
        h.request_no := p_request_no;
        UPDATE credit_holds u SET
            state = h.state, granted_seconds = h.granted_seconds, held = h.held,
            held_peak = greatest(h.held_peak, h.held), cut_at = h.cut_at, request_no = h.request_no,
            lease_until = v_now + interval '45 seconds', lost_at = NULL
        WHERE u.user_id = p_user AND u.call_id = p_call;
        PERFORM credit_store(a);
    END IF;
    state := h.state;
    granted_seconds := h.granted_seconds;
    cut_at := h.cut_at;
    held := h.held;
END
$$;

-- Claim the right to cut a call off, once, and only when it is due: for its owner at `cut_at`, for anyone else 2 s later.
-- A claimed hold extends no more.
CREATE FUNCTION cut_v1(p_user uuid, p_call uuid, p_owner text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    PERFORM assert_tenant(p_user);
    UPDATE credit_holds h SET cut_claimed_at = v_now
    WHERE h.user_id = p_user AND h.call_id = p_call AND h.settled_at IS NULL AND h.cut_claimed_at IS NULL
        AND h.cut_at <= v_now - CASE WHEN h.lease_owner = p_owner THEN interval '0' ELSE interval '2 seconds' END;
    RETURN FOUND;
END
$$;

-- The call is over: turn its hold into ledger lines, once. A second settle gets the first one's figures, not fresh.
CREATE FUNCTION settle_v1(
    p_user uuid, p_call uuid, p_seconds integer, p_not_charged_reason text DEFAULT NULL,
    OUT fresh boolean, OUT state hold_state, OUT charged bigint, OUT unbilled bigint, OUT balance bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    h credit_holds;
    v_now timestamptz;
    v_rated bigint := 0;
    v_usage bigint;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_seconds IS NULL OR p_seconds < 0 OR p_seconds > 1000000 THEN
        RAISE EXCEPTION 'a call lasts 0 to 1,000,000 seconds, not %', p_seconds USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    SELECT * INTO h FROM credit_holds WHERE user_id = p_user AND call_id = p_call FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no hold for call %', p_call USING ERRCODE = 'TT404';
    END IF;
    IF h.settled_at IS NOT NULL THEN
        fresh := false;
        state := h.state;
        charged := h.charged;
        unbilled := h.unbilled;
        balance := a.balance;
        RETURN;
    END IF;

    v_now := clock_timestamp();
    -- Nobody ever owned it: it was never answered, and costs nothing whatever anybody measured.
    state := CASE WHEN h.lease_owner IS NULL THEN 'RELEASED' ELSE 'SETTLED' END;
    IF state = 'SETTLED' AND p_not_charged_reason IS NULL THEN
        v_rated := credit_cost(
            p_seconds, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, h.free_seconds
        );
    END IF;
    charged := least(v_rated, h.held);
    unbilled := v_rated - charged;
    v_usage := least(charged, greatest(a.balance, 0));

    a := credit_spend(a, charged - h.held);
    a.held := a.held - h.held;
    IF h.state IN ('AUTHORISED', 'ACTIVE', 'FINAL') THEN
        a.open_calls := a.open_calls - 1;
    END IF;
    IF v_usage > 0 THEN
        a := credit_append(a, 'CALL_USAGE', -v_usage, p_call, NULL, NULL, NULL, NULL);
    END IF;
    IF charged > v_usage THEN
        a := credit_append(a, 'GRACE_USAGE', v_usage - charged, p_call, NULL, NULL, NULL, NULL);
    END IF;
    UPDATE credit_holds u SET
        state = settle_v1.state, held = 0, charged = settle_v1.charged, unbilled = settle_v1.unbilled, settled_at = v_now,
        settled_seconds = p_seconds, not_charged_reason = p_not_charged_reason
    WHERE u.user_id = p_user AND u.call_id = p_call;
    PERFORM credit_store(a);
    IF unbilled > 0 THEN
        INSERT INTO alerts (id, kind, user_id, detail) VALUES (
            gen_random_uuid(), 'call_unbilled', p_user, jsonb_build_object('call_id', p_call, 'credits', unbilled)
        );
    END IF;
    fresh := true;
    balance := a.balance;
END
$$;

-- The owner of a call gave no sign of life for the length of its lease: free the customer's slot, keep the money held
-- until somebody has asked the carrier. False when the lease was renewed in between, or the call is closed.
CREATE FUNCTION lose_v1(
    p_user uuid, p_call uuid, OUT lost boolean, OUT used_seconds integer, OUT answered boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    h credit_holds;
    v_now timestamptz;
BEGIN
    PERFORM assert_tenant(p_user);
    a := credit_lock(p_user);
    SELECT * INTO h FROM credit_holds WHERE user_id = p_user AND call_id = p_call FOR NO KEY UPDATE;
    lost := FOUND AND h.state IN ('AUTHORISED', 'ACTIVE', 'FINAL') AND h.lease_until < clock_timestamp();
    used_seconds := h.used_seconds;
    answered := h.lease_owner IS NOT NULL;
    IF lost THEN
        v_now := clock_timestamp();
        UPDATE credit_holds u SET state = 'RECONCILE', lost_at = v_now WHERE u.user_id = p_user AND u.call_id = p_call;
        a.open_calls := a.open_calls - 1;
        PERFORM credit_store(a);
    END IF;
END
$$;

-- A lost call is to be hung up at the carrier: from here on its owner cannot take it up again. False when it has done so.
CREATE FUNCTION give_up_v1(p_user uuid, p_call uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    PERFORM assert_tenant(p_user);
    UPDATE credit_holds h SET cut_claimed_at = coalesce(h.cut_claimed_at, v_now)
    WHERE h.user_id = p_user AND h.call_id = p_call AND h.state = 'RECONCILE';
    RETURN FOUND;
END
$$;
