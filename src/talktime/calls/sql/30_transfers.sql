-- A caller is put through to a person: the leg to that person is a call of its own, with a hold of its own at the price
-- for transfers. Nobody here hears it, so its owner is the sweep, whichever process that is. Locks: the agent's call, the
-- leg, the account, the hold.

-- Make a leg and hold its first slice, or say why not. The same leg again gets the same answer, and is not to be dialled
-- again. Reasons: those of authorise, and over (nobody is talked to), transferring (another leg is open), own_number (an
-- agent would ring an agent), not_ordinary (whoever asks says so, of a number that costs more than a leg brings).
CREATE FUNCTION begin_leg_v1(
    p_user uuid, p_parent uuid, p_leg uuid, p_dialled text, p_is_ordinary boolean DEFAULT true,
    OUT fresh boolean, OUT allowed boolean, OUT reason text, OUT granted_seconds integer, OUT carrier text,
    OUT parent_name text, OUT agent_seconds integer, OUT seconds_max integer
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    c calls;
    l calls;
    v_now timestamptz := clock_timestamp();
    v_price uuid;
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
    reason := CASE
        WHEN c.status <> 'IN_PROGRESS' OR c.parent_id IS NOT NULL THEN 'over'
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
    SELECT z.allowed, z.reason, z.granted_seconds INTO allowed, reason, granted_seconds
    FROM authorise_v1(p_user, p_leg, v_price) z;
    IF NOT allowed THEN
        v_now := clock_timestamp();
        UPDATE calls x SET status = 'FAILED', end_reason = begin_leg_v1.reason, ended_at = v_now, seconds = 0
        WHERE x.user_id = p_user AND x.id = p_leg;
    END IF;
END
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
    IF p_is_guess AND EXISTS (
        SELECT FROM calls x
        WHERE x.user_id = p_user AND x.parent_id = c.parent_id AND x.started_at > c.started_at AND (
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
