-- The life of a charge: authorise, answer, heartbeat, extend, cut, settle, lose. Each is one transaction's worth and can
-- be asked again: the second time gets the first one's answer.
--
-- Authorise, extend, settle and adjust are what the product does most, so each reads and writes every row once and in one
-- statement, and asks for the tenant without a call when it is the usual one; the helpers of 20_ledger.sql say the same in
-- smaller steps. The account is always locked before the hold.

-- A price stays, because holds name it without a foreign key: the key's check would lock the one line of the price list
-- that everybody's calls have, for all of them at once.
CREATE FUNCTION prices_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a price is never removed, a newer one replaces it: % refused', TG_OP USING ERRCODE = 'TT409';
END
$$;

CREATE TRIGGER prices_stay BEFORE DELETE OR UPDATE OF id ON prices FOR EACH ROW EXECUTE FUNCTION prices_stay();
CREATE TRIGGER prices_no_truncate BEFORE TRUNCATE ON prices FOR EACH STATEMENT EXECUTE FUNCTION prices_stay();

-- The price that holds for a user now: the newest of their own that is valid, else the newest of everybody's; that one,
-- too, when the newest of their own follows the list.
CREATE FUNCTION credit_price(p_user uuid, p_at timestamptz, p_kind price_kind DEFAULT 'CALL') RETURNS prices
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_price prices;
BEGIN
    SELECT * INTO v_price FROM prices WHERE user_id = p_user AND kind = p_kind AND valid_from <= p_at
    ORDER BY valid_from DESC, id DESC LIMIT 1;
    IF NOT FOUND OR v_price.follows_list THEN
        SELECT * INTO v_price FROM prices WHERE user_id IS NULL AND kind = p_kind AND valid_from <= p_at
        ORDER BY valid_from DESC, id DESC LIMIT 1;
    END IF;
    RETURN v_price;
END
$$;

-- May this call begin? Holds the first slice when it may; keeps the refusal when not, so that the same call gets the
-- same answer. Reasons: blocked, too_many_calls, debt, no_credit, no_price; day_limit, call_limit, caller_limit (a spend
-- guard); over (it ended before).
CREATE FUNCTION authorise_v1(
    p_user uuid, p_call uuid, p_price uuid DEFAULT NULL,
    OUT allowed boolean, OUT reason text, OUT granted_seconds integer, OUT held bigint, OUT fresh boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    a record;
    p record;
    v_now timestamptz;
    v_free bigint;
    v_room bigint;
    v_guard text;
BEGIN
    IF (p_user = nullif(current_setting('talktime.user_id', true), '')::uuid) IS NOT TRUE THEN
        PERFORM assert_tenant(p_user);
    END IF;
    LOOP
        -- (A locked row stays where it is, and is written there below.)
        SELECT c.ctid AS account_at, clock_timestamp() AS now, (c.spent_until > clock_timestamp()) IS TRUE AS day_is_on,
            greatest(c.balance - c.held, 0) AS free,
            c.day_limit IS NOT NULL OR c.call_limit IS NOT NULL OR c.caller_limit IS NOT NULL AS guarded,
            CASE
                WHEN c.blocked_reason IS NOT NULL THEN 'blocked'
                WHEN c.open_calls >= c.max_open_calls THEN 'too_many_calls'
                WHEN c.clawback_debt > 0 THEN 'debt'
            END AS reason
        INTO a FROM credit_accounts c WHERE c.user_id = p_user FOR NO KEY UPDATE;
        EXIT WHEN FOUND;
        PERFORM credit_lock(p_user);
    END LOOP;
    v_now := a.now;
    IF p_price IS NULL THEN
        -- As `credit_price` chooses, in one statement: nearly everybody follows the list.
        SELECT x.id, x.credits_per_minute, x.connection_fee, x.initial_seconds, x.increment_seconds, x.free_seconds INTO p
        FROM prices x
        WHERE x.user_id IS NULL AND x.kind = 'CALL' AND x.valid_from <= v_now
            AND NOT EXISTS (SELECT FROM prices own WHERE own.user_id = p_user AND own.kind = 'CALL' AND own.valid_from <= v_now)
        ORDER BY x.valid_from DESC, x.id DESC LIMIT 1;
        IF NOT FOUND THEN
            SELECT x.id, x.credits_per_minute, x.connection_fee, x.initial_seconds, x.increment_seconds, x.free_seconds INTO p
            FROM credit_price(p_user, v_now) x;
        END IF;
    ELSE
        SELECT x.id, x.credits_per_minute, x.connection_fee, x.initial_seconds, x.increment_seconds, x.free_seconds INTO p
        FROM prices x WHERE x.id = p_price AND (x.user_id IS NULL OR x.user_id = p_user) AND NOT x.follows_list;
    END IF;
    reason := CASE WHEN p.id IS NULL THEN 'no_price' ELSE a.reason END;
    IF reason IS NULL THEN
        -- A free price needs no balance; grace never starts a call.
        v_free := a.free;
        IF a.guarded THEN
            SELECT g.room, g.guard INTO v_room, v_guard
            FROM credit_accounts c CROSS JOIN LATERAL credit_room(credit_spend(c, 0), p_call, 0) g WHERE c.user_id = p_user;
            IF v_room < v_free THEN
                v_free := greatest(v_room, 0);
            ELSE
                v_guard := NULL;
            END IF;
        END IF;
        granted_seconds := p.initial_seconds + credit_steps(greatest(0, 60 - p.initial_seconds), p.increment_seconds);
        held := credit_cost(granted_seconds, p.credits_per_minute, p.connection_fee, p.initial_seconds, p.increment_seconds, 0);
        IF held > v_free THEN
            granted_seconds := credit_affords(
                v_free, p.credits_per_minute, p.connection_fee, p.initial_seconds, p.increment_seconds
            );
            held := credit_cost(
                granted_seconds, p.credits_per_minute, p.connection_fee, p.initial_seconds, p.increment_seconds, 0
            );
            IF granted_seconds = 0 THEN
                reason := coalesce(v_guard, 'no_credit');
            END IF;
        END IF;
    END IF;

    -- The hold is written as if there were none. When there is one, what it says is the answer.
    IF reason IS NULL THEN
        INSERT INTO credit_holds (
            user_id, call_id, price_id, credits_per_minute, connection_fee, initial_seconds, increment_seconds, free_seconds,
            state, granted_seconds, held, held_peak, lease_until, created_at
        ) VALUES (
            p_user, p_call, p.id, p.credits_per_minute, p.connection_fee, p.initial_seconds, p.increment_seconds, p.free_seconds,
            'AUTHORISED', authorise_v1.granted_seconds, authorise_v1.held, authorise_v1.held, v_now + interval '120 seconds', v_now
        ) ON CONFLICT (user_id, call_id) DO NOTHING;
        allowed := true;
    ELSE
        granted_seconds := 0;
        held := 0;
        INSERT INTO credit_holds (
            user_id, call_id, price_id, credits_per_minute, connection_fee, initial_seconds, increment_seconds, free_seconds,
            state, denied_reason, granted_seconds, settled_at, created_at
        ) VALUES (
            p_user, p_call, p.id, coalesce(p.credits_per_minute, 0), coalesce(p.connection_fee, 0),
            coalesce(p.initial_seconds, 60), coalesce(p.increment_seconds, 60), coalesce(p.free_seconds, 0),
            'DENIED', authorise_v1.reason, 0, v_now, v_now
        ) ON CONFLICT (user_id, call_id) DO NOTHING;
        allowed := false;
    END IF;
    fresh := FOUND;
    IF NOT fresh THEN
        SELECT h.state NOT IN ('DENIED', 'SETTLED', 'RELEASED'), h.granted_seconds, h.held,
            CASE WHEN h.state = 'DENIED' THEN h.denied_reason WHEN h.state IN ('SETTLED', 'RELEASED') THEN 'over' END
        INTO STRICT allowed, granted_seconds, held, reason
        FROM credit_holds h WHERE h.user_id = p_user AND h.call_id = p_call;
        RETURN;
    END IF;
    IF NOT allowed THEN
        IF reason <> 'blocked' THEN
            PERFORM credit_tell_refused(c, p_call, 'calls_refused', authorise_v1.reason)
            FROM credit_accounts c WHERE c.user_id = p_user;
        END IF;
        RETURN;
    END IF;
    IF a.day_is_on THEN
        UPDATE credit_accounts SET
            held = held + authorise_v1.held, open_calls = open_calls + 1, spent_today = spent_today + authorise_v1.held
        WHERE ctid = a.account_at;
    ELSE
        UPDATE credit_accounts c SET
            held = c.held + authorise_v1.held, open_calls = c.open_calls + 1,
            spent_on = d.spent_on, spent_until = d.spent_until, spent_today = d.spent_today + authorise_v1.held
        FROM credit_day(p_user, v_now) d WHERE c.ctid = a.account_at;
    END IF;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the account of user % moved under its lock', p_user;
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
    WHERE h.user_id = p_user AND h.call_id = p_call AND h.state = 'AUTHORISED' AND h.cut_claimed_at IS NULL
    RETURNING h.granted_seconds, h.cut_at INTO granted_seconds, cut_at;
    claimed := FOUND;
END
$$;

-- A sign of life of the owner: renews the leases of its calls and writes the talk that is proven. Gives back the calls
-- that are still its own; one that is missing was lost in between, and `extend_v1` brings it back while it is unsettled,
-- or says that it was cut off.
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
    ), beaten AS (
    UPDATE credit_holds h SET
        lease_until = v_now + interval '45 seconds', used_seconds = greatest(h.used_seconds, beat.used)
    FROM beat WHERE h.user_id = beat.user_id AND h.call_id = beat.call_id
    RETURNING h.user_id, h.call_id, h.cut_claimed_at
    )
    SELECT beaten.user_id, beaten.call_id FROM beaten WHERE beaten.cut_claimed_at IS NULL;
END
$$;

-- More time for a running call. The owner is checked first, then the request's number: a repeat gets the stored answer
-- and an older one changes nothing. Less than a whole slice makes the hold FINAL; a top-up brings it back.
CREATE FUNCTION extend_v1(
    p_user uuid, p_call uuid, p_owner text, p_request_no integer, p_slice_seconds integer DEFAULT 60,
    OUT extended boolean, OUT state hold_state, OUT granted_seconds integer, OUT cut_at timestamptz, OUT held bigint,
    OUT reason text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    r record;
    v_waited boolean;
    v_now timestamptz;
    v_free bigint;
    v_room bigint;
    v_guard text;
BEGIN
    IF (p_user = nullif(current_setting('talktime.user_id', true), '')::uuid
        AND p_request_no >= 1 AND p_slice_seconds BETWEEN 1 AND 3600) IS NOT TRUE THEN
        PERFORM assert_tenant(p_user);
        IF (p_request_no >= 1 AND p_slice_seconds BETWEEN 1 AND 3600) IS NOT TRUE THEN
            RAISE EXCEPTION 'a request has a number from 1 up, and a slice 1 to 3600 seconds' USING ERRCODE = 'TT422';
        END IF;
    END IF;
    LOOP
        -- The account is locked first, then the hold.
        SELECT a.ctid AS account_at, h.ctid AS hold_at, greatest(0, a.balance - a.held + a.grace_limit) AS free, a.clawback_debt,
            a.blocked_reason, a.day_limit IS NOT NULL OR a.call_limit IS NOT NULL OR a.caller_limit IS NOT NULL AS guarded,
            a.spent_until, h.state, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, h.granted_seconds,
            h.held, h.request_no, h.final_reason, h.lease_owner, h.cut_at, h.cut_claimed_at, h.settled_at
        INTO r
        FROM credit_accounts a JOIN credit_holds h ON h.user_id = a.user_id AND h.call_id = p_call
        WHERE a.user_id = p_user FOR NO KEY UPDATE OF a, h;
        EXIT WHEN FOUND;
        IF v_waited THEN
            RAISE EXCEPTION 'no hold for call %', p_call USING ERRCODE = 'TT404';
        END IF;
        PERFORM credit_lock(p_user);
        v_waited := true;
    END LOOP;
    -- A call that rings has no owner, and nobody is not its owner either.
    IF r.lease_owner IS DISTINCT FROM p_owner OR p_owner IS NULL THEN
        RAISE EXCEPTION 'call % is owned by another process', p_call USING ERRCODE = 'TT410';
    END IF;
    state := r.state;
    granted_seconds := r.granted_seconds;
    cut_at := r.cut_at;
    held := r.held;
    IF r.settled_at IS NOT NULL OR p_request_no <= r.request_no OR r.cut_claimed_at IS NOT NULL THEN
        extended := false;
        reason := CASE
            WHEN r.settled_at IS NOT NULL THEN 'over'
            WHEN p_request_no = r.request_no THEN 'repeated'
            WHEN p_request_no < r.request_no THEN 'stale'
            ELSE 'cut'
        END;
        RETURN;
    END IF;

    v_now := clock_timestamp();
    v_free := r.free;
    IF r.guarded THEN
        SELECT g.room, g.guard INTO v_room, v_guard
        FROM credit_accounts a CROSS JOIN LATERAL credit_room(credit_spend(a, 0), p_call, r.held) g WHERE a.user_id = p_user;
        IF v_room < v_free THEN
            v_free := greatest(v_room, 0);
        ELSE
            v_guard := NULL;
        END IF;
    END IF;
    IF r.blocked_reason IS NOT NULL OR r.clawback_debt > 0 THEN
        state := 'FINAL';
        reason := CASE WHEN r.blocked_reason IS NOT NULL THEN 'blocked' ELSE 'debt' END;
    ELSE
        granted_seconds := r.granted_seconds + credit_steps(p_slice_seconds, r.increment_seconds);
        held := credit_cost(
            granted_seconds, r.credits_per_minute, r.connection_fee, r.initial_seconds, r.increment_seconds, 0
        );
        state := 'ACTIVE';
        IF held - r.held > v_free THEN
            granted_seconds := greatest(r.granted_seconds, credit_affords(
                r.held + v_free, r.credits_per_minute, r.connection_fee, r.initial_seconds, r.increment_seconds
            ));
            held := greatest(r.held, credit_cost(
                granted_seconds, r.credits_per_minute, r.connection_fee, r.initial_seconds, r.increment_seconds, 0
            ));
            state := 'FINAL';
            reason := coalesce(v_guard, 'no_credit');
            IF v_guard IS NOT NULL AND reason IS DISTINCT FROM r.final_reason THEN
                PERFORM credit_tell_refused(a, p_call, 'guard_reached', v_guard) FROM credit_accounts a WHERE a.user_id = p_user;
            END IF;
        END IF;
    END IF;
    extended := granted_seconds > r.granted_seconds;
    cut_at := r.cut_at + (granted_seconds - r.granted_seconds) * interval '1 second';
    UPDATE credit_holds SET
        state = extend_v1.state, granted_seconds = extend_v1.granted_seconds, held = extend_v1.held,
        held_peak = greatest(held_peak, extend_v1.held), cut_at = extend_v1.cut_at, request_no = p_request_no,
        final_reason = extend_v1.reason, lease_until = v_now + interval '45 seconds', lost_at = NULL
    WHERE ctid = r.hold_at;
    -- (Who has debt got nothing, so debt stays as it is. An owner that was away longer than its lease and is back has its slot
    -- again: it was given up, the money is still here.)
    IF r.spent_until > v_now THEN
        UPDATE credit_accounts SET
            held = held + (extend_v1.held - r.held),
            open_calls = open_calls + CASE WHEN r.state = 'RECONCILE' THEN 1 ELSE 0 END,
            spent_today = greatest(0, spent_today + extend_v1.held - r.held)
        WHERE ctid = r.account_at;
    ELSE
        UPDATE credit_accounts a SET
            held = a.held + (extend_v1.held - r.held),
            open_calls = a.open_calls + CASE WHEN r.state = 'RECONCILE' THEN 1 ELSE 0 END,
            spent_on = d.spent_on, spent_until = d.spent_until, spent_today = greatest(0, d.spent_today + extend_v1.held - r.held)
        FROM credit_day(p_user, v_now) d WHERE a.ctid = r.account_at;
    END IF;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the account of user % moved under its lock', p_user;
    END IF;
END
$$;

-- Claim the right to cut a call off, once, and only when it is due: for its owner at `cut_at`, for anyone else 2 s later.
-- A claimed hold extends no more.
CREATE FUNCTION cut_v1(p_user uuid, p_call uuid, p_owner text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_reason text;
BEGIN
    PERFORM assert_tenant(p_user);
    UPDATE credit_holds h SET cut_claimed_at = v_now
    WHERE h.user_id = p_user AND h.call_id = p_call AND h.settled_at IS NULL AND h.cut_claimed_at IS NULL
        AND h.cut_at <= v_now - CASE WHEN h.lease_owner = p_owner THEN interval '0' ELSE interval '2 seconds' END
    RETURNING h.final_reason INTO v_reason;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- The caller hears nothing of it; the customer is told. (A spend guard has said so when it was reached.)
    IF v_reason IN ('no_credit', 'debt') THEN
        PERFORM credit_notice(p_user, 'credit_exhausted', p_call::text, jsonb_build_object('call_id', p_call));
    END IF;
    RETURN true;
END
$$;

-- The call is over: turn its hold into ledger lines, once. A second settle gets the first one's figures, not fresh.
CREATE FUNCTION settle_v1(
    p_user uuid, p_call uuid, p_seconds integer, p_not_charged_reason text DEFAULT NULL,
    OUT fresh boolean, OUT state hold_state, OUT charged bigint, OUT unbilled bigint, OUT balance bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_account_at tid;
    v_hold_at tid;
    v_now timestamptz;
    v_unusual boolean;
    v_balance bigint;
    v_low_balance bigint;
    v_held bigint;
    v_opened integer;
    v_rated bigint;
    v_waited boolean;
    v_usage bigint;
    v_seq bigint;
    v_head bytea;
BEGIN
    IF (p_user = nullif(current_setting('talktime.user_id', true), '')::uuid
        AND p_seconds BETWEEN 0 AND 1000000 AND p_not_charged_reason IS NULL) IS NOT TRUE THEN
        PERFORM assert_tenant(p_user);
        IF (p_seconds BETWEEN 0 AND 1000000) IS NOT TRUE THEN
            RAISE EXCEPTION 'a call lasts 0 to 1,000,000 seconds, not %', p_seconds USING ERRCODE = 'TT422';
        END IF;
        IF p_not_charged_reason NOT IN ('platform_fault', 'wrong_number', 'spam', 'not_a_call') THEN
            RAISE EXCEPTION 'a call is not charged because of platform_fault, wrong_number, spam or not_a_call' USING ERRCODE = 'TT422';
        END IF;
    END IF;
    LOOP
        -- The account is locked first, then the hold; a locked row stays where it is, and is written there below. A call that
        -- nobody ever owned was never answered, and costs nothing whatever anybody measured.
        SELECT h.settled_at IS NULL,
            CASE WHEN h.lease_owner IS NULL THEN hold_state 'RELEASED' ELSE 'SETTLED' END, a.seq, a.head,
            a.ctid, h.ctid, clock_timestamp(), (a.spent_until > clock_timestamp()) IS NOT TRUE OR a.clawback_debt > 0,
            a.balance, a.low_balance, h.held,
            CASE WHEN h.state IN ('AUTHORISED', 'ACTIVE', 'FINAL') THEN 1 ELSE 0 END,
            CASE WHEN h.lease_owner IS NULL OR p_not_charged_reason IS NOT NULL THEN 0 ELSE credit_cost(
                p_seconds, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, h.free_seconds
            ) END
        INTO fresh, state, v_seq, v_head, v_account_at, v_hold_at, v_now, v_unusual, v_balance, v_low_balance, v_held, v_opened,
            v_rated
        FROM credit_accounts a JOIN credit_holds h ON h.user_id = a.user_id AND h.call_id = p_call
        WHERE a.user_id = p_user FOR NO KEY UPDATE OF a, h;
        EXIT WHEN FOUND;
        IF v_waited THEN
            RAISE EXCEPTION 'no hold for call %', p_call USING ERRCODE = 'TT404';
        END IF;
        -- Perhaps it is being authorised at this moment: wait for that to end.
        PERFORM credit_lock(p_user);
        v_waited := true;
    END LOOP;
    IF NOT fresh THEN
        SELECT h.state, h.charged, h.unbilled, v_balance INTO state, charged, unbilled, balance
        FROM credit_holds h WHERE h.ctid = v_hold_at;
        RETURN;
    END IF;

    charged := least(v_rated, v_held);
    unbilled := v_rated - charged;
    balance := v_balance - charged;
    v_usage := least(charged, greatest(v_balance, 0));
    IF v_usage > 0 THEN
        v_seq := v_seq + 1;
        v_head := credit_line_hash(v_head, p_user, v_seq, 'CALL_USAGE', -v_usage, v_balance - v_usage, p_call, NULL, NULL, NULL,
                                   NULL, v_now);
        INSERT INTO credit_transactions (user_id, seq, type, amount, balance_after, call_id, created_at, hash)
        VALUES (p_user, v_seq, 'CALL_USAGE', -v_usage, v_balance - v_usage, p_call, v_now, v_head);
    END IF;
    IF charged > v_usage THEN
        v_seq := v_seq + 1;
        v_head := credit_line_hash(v_head, p_user, v_seq, 'GRACE_USAGE', v_usage - charged, balance, p_call, NULL, NULL, NULL,
                                   NULL, v_now);
        INSERT INTO credit_transactions (user_id, seq, type, amount, balance_after, call_id, created_at, hash)
        VALUES (p_user, v_seq, 'GRACE_USAGE', v_usage - settle_v1.charged, settle_v1.balance, p_call, v_now, v_head);
    END IF;
    UPDATE credit_holds SET
        state = settle_v1.state, held = 0, charged = settle_v1.charged, unbilled = settle_v1.unbilled, settled_at = v_now,
        settled_seconds = p_seconds, not_charged_reason = p_not_charged_reason
    WHERE ctid = v_hold_at;
    IF v_unusual THEN
        -- The day turns, or there is debt, which credits that are free again pay.
        UPDATE credit_accounts a SET
            balance = settle_v1.balance, held = a.held - v_held, seq = v_seq, head = v_head,
            open_calls = a.open_calls - v_opened, spent_on = d.spent_on, spent_until = d.spent_until,
            spent_today = greatest(0, d.spent_today + settle_v1.charged - v_held),
            clawback_debt = least(a.clawback_debt, greatest(0, -a.grace_limit - (settle_v1.balance - (a.held - v_held))))
        FROM credit_day(p_user, v_now) d WHERE a.ctid = v_account_at;
    ELSE
        UPDATE credit_accounts SET
            balance = settle_v1.balance, held = held - v_held, seq = v_seq, head = v_head, open_calls = open_calls - v_opened,
            spent_today = greatest(0, spent_today + settle_v1.charged - v_held)
        WHERE ctid = v_account_at;
    END IF;
    IF NOT FOUND OR unbilled > 0 OR v_low_balance > balance THEN
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the account of user % moved under its lock', p_user;
        END IF;
        IF unbilled > 0 THEN
            PERFORM credit_alert(p_user, 'call_unbilled', jsonb_build_object('call_id', p_call, 'credits', settle_v1.unbilled));
        END IF;
        IF v_low_balance > balance AND v_low_balance <= v_balance THEN
            PERFORM credit_notice(p_user, 'low_balance', v_seq::text, jsonb_build_object(
                'balance', settle_v1.balance, 'threshold', v_low_balance
            ));
        END IF;
    END IF;
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
