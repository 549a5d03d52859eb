-- A caller is put through to a person, by an agent or by a rung of the fallback ladder: the leg to that person is a call of
-- its own, with a hold of its own at the price for transfers. Nobody here hears it, so its owner is the sweep, whichever
-- process that is. Locks: the agent's call, the leg, the account, the hold.

-- Make a leg and hold its first slice, or say why not. The same leg again gets the same answer, and is not to be dialled
-- again. Reasons: those of authorise, and over (nobody is talked to), transferring (another leg is open), own_number (an
-- agent would ring an agent), not_ordinary (whoever asks says so, of a number that costs more than a leg brings).
-- A call that only the ladder answered is over as soon as it rang, and its carrier waits to be told what to do with it: a
-- leg of it can be begun for some seconds. Where all of the customer's lines are taken, legs have as many again, because
-- they are what the customer wants in the place of a line.
CREATE FUNCTION begin_leg_v1(
    p_user uuid, p_parent uuid, p_leg uuid, p_dialled text, p_is_ordinary boolean DEFAULT true,
    OUT fresh boolean, OUT allowed boolean, OUT reason text, OUT granted_seconds integer, OUT carrier text,
    OUT parent_name text, OUT agent_seconds integer, OUT seconds_max integer
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    c calls;
    l calls;
    a credit_accounts;
    v_now timestamptz := clock_timestamp();
    v_price uuid;
    v_is_rung boolean;
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT * INTO c FROM calls x WHERE x.user_id = p_user AND x.id = p_parent FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no call %', p_parent USING ERRCODE = 'TT404';
    END IF;
    carrier := c.carrier;
    parent_name := c.carrier_call_id;
    granted_seconds := 0;
    SELECT * INTO l FROM calls x WHERE x.user_id = p_user AND x.id = p_leg;
    fresh := NOT FOUND;
    IF NOT fresh THEN
        IF l.parent_id IS DISTINCT FROM p_parent OR l.dialled IS DISTINCT FROM p_dialled THEN
            RAISE EXCEPTION 'leg % was begun for something else', p_leg USING ERRCODE = 'TT409';
        END IF;
        agent_seconds := greatest(0, ceil(extract(epoch FROM l.started_at - c.answered_at)));
        -- Without a name nobody knows yet whether the carrier rings that person.
        allowed := l.carrier_call_id <> '';
        reason := CASE WHEN NOT allowed THEN coalesce(l.end_reason, 'carrier_silent') END;
        SELECT h.granted_seconds INTO granted_seconds FROM credit_holds h WHERE h.user_id = p_user AND h.call_id = p_leg;
        RETURN;
    END IF;
    v_is_rung := c.status = 'COMPLETED' AND c.answered_at IS NULL AND c.route <> 'talk'
        AND c.ended_at > v_now - interval '30 seconds';
    reason := CASE
        WHEN c.parent_id IS NOT NULL OR NOT (c.status = 'IN_PROGRESS' OR v_is_rung) THEN 'over'
        WHEN EXISTS (
            SELECT FROM calls x WHERE x.user_id = p_user AND x.parent_id = p_parent AND x.ended_at IS NULL
        ) THEN 'transferring'
        WHEN EXISTS (SELECT FROM phone_numbers n WHERE n.number = p_dialled) THEN 'own_number'
        WHEN NOT p_is_ordinary THEN 'not_ordinary'
    END;
    allowed := reason IS NULL;
    IF NOT allowed THEN
        RETURN;
    END IF;
    agent_seconds := greatest(0, ceil(extract(epoch FROM v_now - c.answered_at)));
    SELECT v.call_seconds_max INTO seconds_max FROM agent_versions v
    WHERE v.user_id = p_user AND v.agent_id = c.agent_id AND v.version_no = c.agent_version;
    INSERT INTO calls (
        user_id, id, parent_id, agent_id, agent_version, number_id, direction, carrier, carrier_call_id,
        caller, dialled, status, route, started_at
    ) VALUES (
        p_user, p_leg, p_parent, c.agent_id, c.agent_version, c.number_id, 'OUTBOUND', c.carrier, '',
        c.caller, p_dialled, 'RINGING', 'transfer', v_now
    );
    -- No id is all zeros, so where no price is set the leg is refused for that, and never takes the price of calls.
    v_price := coalesce((credit_price(p_user, v_now, 'TRANSFER')).id, '00000000-0000-0000-0000-000000000000');
    IF v_is_rung AND c.route = 'too_many_calls' THEN
        a := credit_lock(p_user);
        UPDATE credit_accounts x SET max_open_calls = 2 * x.max_open_calls WHERE x.user_id = p_user;
    END IF;
    SELECT z.allowed, z.reason, z.granted_seconds INTO allowed, reason, granted_seconds
    FROM authorise_v1(p_user, p_leg, v_price) z;
    IF v_is_rung AND c.route = 'too_many_calls' THEN
        UPDATE credit_accounts x SET max_open_calls = a.max_open_calls WHERE x.user_id = p_user;
    END IF;
    IF NOT allowed THEN
        v_now := clock_timestamp();
        UPDATE calls x SET status = 'FAILED', end_reason = begin_leg_v1.reason, ended_at = v_now, seconds = 0
        WHERE x.user_id = p_user AND x.id = p_leg;
    END IF;
END
$$;

-- The calls that a call went on as, each time its caller came back to the agent.
CREATE FUNCTION calls_after(p_user uuid, p_call uuid) RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    WITH RECURSIVE later AS (
        SELECT r.id FROM calls l JOIN calls r ON r.user_id = l.user_id AND r.resumes_id = l.id
        WHERE l.user_id = p_user AND l.parent_id = p_call
        UNION ALL
        SELECT r.id FROM later b
        JOIN calls l ON l.user_id = p_user AND l.parent_id = b.id
        JOIN calls r ON r.user_id = l.user_id AND r.resumes_id = l.id
    )
    SELECT later.id FROM later
$$;

-- The carrier tells a leg's name, once: from then on its reports find it. False for another name, or what is no leg.
-- A guess is a name of which only the caller's call is known: where another leg may have been dialled after this one was
-- given up, it is that one's. Whoever saw the name at the carrier sees that other leg here, because it was stored before.
CREATE FUNCTION name_leg_v1(
    p_user uuid, p_leg uuid, p_carrier text, p_carrier_call_id text, p_is_guess boolean DEFAULT false
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    c calls;
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT * INTO c FROM calls x WHERE x.user_id = p_user AND x.id = p_leg FOR NO KEY UPDATE;
    IF NOT FOUND OR c.parent_id IS NULL OR c.carrier <> p_carrier THEN
        RETURN false;
    END IF;
    IF c.carrier_call_id <> '' THEN
        RETURN c.carrier_call_id = p_carrier_call_id;
    END IF;
    -- A caller who came back to the agent (`return_call_v1`) may be put through again, on a leg of that other call.
    IF p_is_guess AND EXISTS (
        SELECT FROM calls x
        WHERE x.user_id = p_user AND x.started_at > c.started_at AND (
            x.parent_id = c.parent_id OR x.parent_id IN (SELECT r.id FROM calls_after(p_user, c.parent_id) r)
        ) AND (
            x.ended_at IS NULL OR x.carrier_call_id <> '' OR x.end_reason IN ('lost', 'never_answered', 'never_dialled')
        )
    ) THEN
        RETURN false;
    END IF;
    INSERT INTO call_directory (carrier, carrier_call_id, user_id, call_id)
    VALUES (p_carrier, p_carrier_call_id, p_user, p_leg) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE calls x SET carrier_call_id = p_carrier_call_id WHERE x.user_id = p_user AND x.id = p_leg;
    RETURN true;
END
$$;

-- The carrier says that a leg is over, and for how long it was connected: close it and settle its hold, once. Talk that
-- nobody told us of before is held for now, as far as there is credit. What cannot have been since it was dialled is no
-- talk.
CREATE FUNCTION end_leg_v1(
    p_user uuid, p_leg uuid, p_owner text, p_carrier_seconds integer, p_reason text,
    OUT fresh boolean, OUT status call_status, OUT seconds integer, OUT charged bigint, OUT unbilled bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    c calls;
    h credit_holds;
    v_now timestamptz := clock_timestamp();
    v_reason text;
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT * INTO c FROM calls x WHERE x.user_id = p_user AND x.id = p_leg FOR NO KEY UPDATE;
    IF NOT FOUND OR c.parent_id IS NULL THEN
        RAISE EXCEPTION 'no leg %', p_leg USING ERRCODE = 'TT404';
    END IF;
    IF p_carrier_seconds < 0 THEN
        RAISE EXCEPTION 'a call lasts 0 seconds or more, not %', p_carrier_seconds USING ERRCODE = 'TT422';
    END IF;
    PERFORM credit_lock(p_user);
    seconds := least(p_carrier_seconds, greatest(0, ceil(extract(epoch FROM v_now - c.started_at))));
    IF c.status = 'RINGING' AND seconds > 0
        AND (SELECT z.claimed FROM answer_v1(p_user, p_leg, p_owner) z) THEN
        UPDATE calls x SET
            status = 'IN_PROGRESS', answered_at = greatest(c.started_at, v_now - end_leg_v1.seconds * interval '1 second')
        WHERE x.user_id = p_user AND x.id = p_leg;
    END IF;
    SELECT * INTO h FROM credit_holds x WHERE x.user_id = p_user AND x.call_id = p_leg FOR NO KEY UPDATE;
    IF h.settled_at IS NULL AND h.lease_owner = p_owner AND h.cut_claimed_at IS NULL AND seconds > h.granted_seconds THEN
        PERFORM extend_v1(p_user, p_leg, p_owner, h.request_no + 1, least(3600, seconds - h.granted_seconds));
    END IF;
    v_reason := CASE
        WHEN h.cut_claimed_at IS NOT NULL AND h.lease_owner IS NOT NULL THEN 'credit_ended'
        ELSE coalesce(p_reason, CASE WHEN h.lease_owner IS NULL THEN 'nobody_answered' ELSE 'leg_ended' END)
    END;
    SELECT z.fresh, z.status, z.seconds, z.charged, z.unbilled INTO fresh, status, seconds, charged, unbilled
    FROM finish_v1(p_user, p_leg, seconds, false, v_reason, p_carrier_seconds) z;
END
$$;

-- Nobody answered a leg, and its caller comes back to the agent that put them through: a call of its own again, of the
-- same name at the carrier, authorised like any other. Once for each leg: asked again, the same answer. Not allowed when the
-- leg was answered, belongs to no agent's call, or another way was taken since. The carrier's word that nobody answered ends
-- the leg, so that its slot is free for this.
CREATE FUNCTION return_call_v1(
    p_user uuid, p_leg uuid, p_owner text, p_call uuid,
    OUT call_id uuid, OUT allowed boolean, OUT reason text, OUT carrier_call_id text, OUT agent_id uuid,
    OUT agent_version integer
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    c calls;
    l calls;
    r calls;
    v_now timestamptz;
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT p.* INTO c FROM calls x JOIN calls p ON p.user_id = x.user_id AND p.id = x.parent_id
    WHERE x.user_id = p_user AND x.id = p_leg FOR NO KEY UPDATE OF p;
    allowed := false;
    IF NOT FOUND THEN
        reason := 'over';
        RETURN;
    END IF;
    SELECT * INTO STRICT l FROM calls x WHERE x.user_id = p_user AND x.id = p_leg FOR NO KEY UPDATE;
    carrier_call_id := c.carrier_call_id;
    agent_id := c.agent_id;
    agent_version := c.agent_version;
    SELECT * INTO r FROM calls x WHERE x.user_id = p_user AND x.resumes_id = p_leg;
    IF FOUND THEN
        call_id := r.id;
        allowed := r.status IN ('RINGING', 'IN_PROGRESS');
        reason := CASE WHEN NOT allowed THEN coalesce(r.end_reason, 'over') END;
        RETURN;
    END IF;
    IF l.status = 'RINGING' THEN
        PERFORM end_leg_v1(p_user, p_leg, p_owner, 0, NULL);
    END IF;
    IF c.route <> 'talk' OR c.answered_at IS NULL OR l.answered_at IS NOT NULL OR EXISTS (
        SELECT FROM calls x WHERE x.user_id = p_user AND x.parent_id = c.id AND x.started_at > l.started_at
    ) THEN
        reason := 'over';
        RETURN;
    END IF;
    v_now := clock_timestamp();
    call_id := p_call;
    INSERT INTO calls (
        user_id, id, resumes_id, agent_id, agent_version, number_id, direction, carrier, carrier_call_id, caller, dialled,
        status, route, started_at, forgotten_at
    ) VALUES (
        p_user, p_call, p_leg, c.agent_id, c.agent_version, c.number_id, c.direction, c.carrier, c.carrier_call_id,
        c.caller, c.dialled, 'RINGING', 'talk', v_now, c.forgotten_at
    );
    SELECT z.allowed, z.reason INTO allowed, reason FROM authorise_v1(p_user, p_call) z;
    IF NOT allowed THEN
        v_now := clock_timestamp();
        UPDATE calls x SET
            status = 'COMPLETED', route = return_call_v1.reason, end_reason = return_call_v1.reason, ended_at = v_now,
            seconds = 0
        WHERE x.user_id = p_user AND x.id = p_call;
    END IF;
END
$$;
