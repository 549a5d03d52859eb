-- A call from ring to end. The order of locks is always: the call, the account, the hold.

-- The status only moves forward, whoever writes it.
CREATE FUNCTION calls_forward_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> OLD.status AND NOT (
        (OLD.status = 'RINGING')
        OR (OLD.status = 'IN_PROGRESS' AND NEW.status IN ('COMPLETED', 'FAILED'))
    ) THEN
        RAISE EXCEPTION 'a call does not go from % to %', OLD.status, NEW.status USING ERRCODE = 'TT409';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER calls_forward_only BEFORE UPDATE OF status ON calls
    FOR EACH ROW EXECUTE FUNCTION calls_forward_only();

-- What is known of a ring before anything is decided: the answer it got before, or whose number it is and what the agent
-- behind it says. No row: nobody answers this number.
CREATE FUNCTION find_ring_v1(p_carrier text, p_carrier_call_id text, p_dialled text)
RETURNS TABLE (
    user_id uuid, call_id uuid, route text, status call_status, number_id uuid, agent_id uuid, agent_version integer,
    language text, user_status user_status, agent_active boolean, zone text, hours jsonb, answers_after_hours boolean,
    fallback jsonb, business text
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH known AS (
        SELECT d.user_id, d.call_id FROM call_directory d
        WHERE d.carrier = p_carrier AND d.carrier_call_id = p_carrier_call_id
    ), target AS (
        SELECT c.user_id, c.id AS call_id, c.route, c.status, c.number_id, c.agent_id, c.agent_version
        FROM known k JOIN calls c ON c.user_id = k.user_id AND c.id = k.call_id
        UNION ALL
        SELECT n.user_id, NULL, NULL, NULL, n.id, n.agent_id, a.published_version
        FROM phone_numbers n LEFT JOIN agents a ON a.user_id = n.user_id AND a.id = n.agent_id
        WHERE NOT EXISTS (SELECT FROM known) AND n.number = p_dialled AND n.carrier = p_carrier
            AND n.user_id IS NOT NULL
    )
    SELECT t.user_id, t.call_id, t.route, t.status, t.number_id, t.agent_id, t.agent_version,
        coalesce(a.language, u.locale), u.status, coalesce(a.active, false), coalesce(a.zone, u.zone), v.hours,
        coalesce(v.answers_after_hours, true), coalesce(v.fallback, '{}'::jsonb), coalesce(a.business, u.name)
    FROM target t
    JOIN users u ON u.id = t.user_id
    LEFT JOIN agents a ON a.user_id = t.user_id AND a.id = t.agent_id
    LEFT JOIN agent_versions v ON v.user_id = t.user_id AND v.agent_id = t.agent_id AND v.version_no = t.agent_version
$$;

-- Take a ring in, once: a second one, also at the same moment, gets the first one's answer. `p_rung` is a rung of the
-- fallback ladder that was decided already; NULL asks the credits. A call that only the ladder answers is over at once.
CREATE FUNCTION ring_v1(
    p_carrier text, p_carrier_call_id text, p_user uuid, p_call uuid, p_number uuid, p_agent uuid, p_version integer,
    p_caller text, p_dialled text, p_rung text,
    OUT call_id uuid, OUT route text, OUT fresh boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_allowed boolean := false;
BEGIN
    PERFORM assert_tenant(p_user);
    INSERT INTO call_directory (carrier, carrier_call_id, user_id, call_id)
    VALUES (p_carrier, p_carrier_call_id, p_user, p_call) ON CONFLICT DO NOTHING;
    fresh := FOUND;
    IF NOT fresh THEN
        SELECT c.id, c.route INTO STRICT call_id, route
        FROM call_directory d JOIN calls c ON c.user_id = d.user_id AND c.id = d.call_id
        WHERE d.carrier = p_carrier AND d.carrier_call_id = p_carrier_call_id;
        RETURN;
    END IF;
    call_id := p_call;
    INSERT INTO calls (
        user_id, id, agent_id, agent_version, number_id, direction, carrier, carrier_call_id, caller, dialled, status,
        route, started_at
    ) VALUES (
        p_user, p_call, p_agent, p_version, p_number, 'INBOUND', p_carrier, p_carrier_call_id, nullif(p_caller, ''),
        p_dialled, 'RINGING', coalesce(p_rung, 'talk'), v_now
    );
    route := p_rung;
    IF route IS NULL THEN
        SELECT z.allowed, z.reason INTO v_allowed, route FROM authorise_v1(p_user, p_call) z;
        route := coalesce(route, 'talk');
    END IF;
    IF NOT v_allowed THEN
        v_now := clock_timestamp();
        UPDATE calls c SET status = 'COMPLETED', route = ring_v1.route, end_reason = ring_v1.route, ended_at = v_now, seconds = 0
        WHERE c.user_id = p_user AND c.id = p_call;
    END IF;
END
$$;

-- Our media stream was accepted: the call moves to IN_PROGRESS and the process claims its hold, both or neither. A
-- second socket with the same token finds the call no longer ringing.
CREATE FUNCTION answer_call_v1(
    p_user uuid, p_call uuid, p_owner text,
    OUT answered boolean, OUT answered_at timestamptz, OUT cut_at timestamptz, OUT granted_seconds integer,
    OUT agent_id uuid, OUT agent_version integer, OUT caller text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    PERFORM assert_tenant(p_user);
    PERFORM 1 FROM calls c
    WHERE c.user_id = p_user AND c.id = p_call AND c.status = 'RINGING' FOR NO KEY UPDATE;
    answered := FOUND;
    IF answered THEN
        -- No when its ring lease ran out and the sweep has it.
        SELECT z.claimed, z.cut_at, z.granted_seconds INTO answered, cut_at, granted_seconds
        FROM answer_v1(p_user, p_call, p_owner) z;
    END IF;
    IF answered THEN
        UPDATE calls c SET status = 'IN_PROGRESS', answered_at = v_now
        WHERE c.user_id = p_user AND c.id = p_call
        RETURNING c.answered_at, c.agent_id, c.agent_version, c.caller
        INTO answered_at, agent_id, agent_version, caller;
    END IF;
END
$$;

-- When an agent's caller was put through to a person; NULL when that was never tried, or the carrier refused.
CREATE FUNCTION call_left_at(p_user uuid, p_call uuid) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT min(l.started_at) FROM calls l
    WHERE l.user_id = p_user AND l.parent_id = p_call AND (l.carrier_call_id <> '' OR l.ended_at IS NULL)
$$;

-- Close a call and settle its hold, once, in one transaction. A second finish gets the first one's figures, not fresh.
-- The sweep finishes only what is lost: `p_only_if_lost` leaves a call alone whose owner has come back.
CREATE FUNCTION finish_v1(
    p_user uuid, p_call uuid, p_seconds integer, p_failed boolean, p_reason text, p_carrier_seconds integer DEFAULT NULL,
    p_not_charged_reason text DEFAULT NULL, p_only_if_lost boolean DEFAULT false,
    OUT fresh boolean, OUT status call_status, OUT seconds integer, OUT charged bigint, OUT unbilled bigint, OUT balance bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    c calls;
    v_now timestamptz;
    v_left timestamptz;
    v_left_seconds integer;
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT * INTO c FROM calls x WHERE x.user_id = p_user AND x.id = p_call FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no call %', p_call USING ERRCODE = 'TT404';
    END IF;
    IF p_only_if_lost THEN
        PERFORM credit_lock(p_user);
        IF NOT EXISTS (
            SELECT FROM credit_holds h WHERE h.user_id = p_user AND h.call_id = p_call AND h.state = 'RECONCILE'
        ) THEN
            fresh := false;
            status := c.status;
            seconds := c.seconds;
            RETURN;
        END IF;
    END IF;
    fresh := c.status IN ('RINGING', 'IN_PROGRESS');
    IF fresh THEN
        v_now := clock_timestamp();
        status := CASE
            WHEN p_failed THEN 'FAILED' WHEN c.status = 'RINGING' THEN 'NO_ANSWER' ELSE 'COMPLETED'
        END;
        seconds := CASE WHEN c.status = 'RINGING' THEN 0 ELSE p_seconds END;
        -- Whoever comes first, the agent's part ended when the caller was put through; to the agent's process that looks
        -- like a caller who hung up.
        v_left := CASE WHEN status = 'COMPLETED' THEN call_left_at(p_user, p_call) END;
        IF v_left IS NOT NULL THEN
            -- A clock that was set back in between makes no talk, and no less than none.
            v_left_seconds := greatest(0, ceil(extract(epoch FROM v_left - c.answered_at)));
            IF NOT EXISTS (
                SELECT FROM calls l WHERE l.user_id = p_user AND l.parent_id = p_call AND l.carrier_call_id <> ''
            ) THEN
                -- The carrier names no leg, so perhaps the agent goes on; what it has proven to have talked is talk.
                v_left_seconds := greatest(v_left_seconds, (
                    SELECT h.used_seconds FROM credit_holds h WHERE h.user_id = p_user AND h.call_id = p_call
                ));
            END IF;
            seconds := least(seconds, v_left_seconds);
        END IF;
        UPDATE calls x SET
            status = finish_v1.status, ended_at = greatest(v_now, x.answered_at),
            end_reason = CASE WHEN v_left IS NULL THEN p_reason ELSE 'transferred' END, seconds = finish_v1.seconds,
            carrier_seconds = coalesce(p_carrier_seconds, x.carrier_seconds)
        WHERE x.user_id = p_user AND x.id = p_call;
    ELSE
        status := c.status;
        seconds := c.seconds;
    END IF;
    IF EXISTS (SELECT FROM credit_holds h WHERE h.user_id = p_user AND h.call_id = p_call) THEN
        SELECT z.charged, z.unbilled, z.balance INTO charged, unbilled, balance
        FROM settle_v1(p_user, p_call, seconds, p_not_charged_reason) z;
        -- The agent said goodbye in time, so nobody had to cut the call off: the customer is told all the same.
        IF fresh AND p_reason = 'credit_ended' AND EXISTS (
            SELECT FROM credit_holds h
            WHERE h.user_id = p_user AND h.call_id = p_call AND h.final_reason IN ('no_credit', 'debt')
        ) THEN
            PERFORM credit_notice(p_user, 'credit_exhausted', p_call::text, jsonb_build_object('call_id', p_call));
        END IF;
        IF fresh AND c.carrier_seconds IS NOT NULL THEN
            -- The carrier's report was here first.
            PERFORM correct_call_v1(p_user, p_call);
        END IF;
    END IF;
END
$$;

-- Hold a settled call against what its carrier measured, and correct its charge when the two differ by more than 2
-- seconds and more than 2 percent; a later report that agrees with us after all takes the correction back. Nothing
-- happens before the call is settled, so it does not matter which of the two comes first.
-- Upwards only what can have been talk: a carrier that counts longer than from the ring to our end counts a line that
-- nobody hung up, or something else than seconds. And a call whose owner was lost, or whose line was dead, is charged to
-- the last proof of talk, so it is corrected downwards only.
-- Not compared at all are a call whose caller was put through, because its carrier counts on until the transferred part
-- ends, and that part, which is charged by its carrier's clock to begin with.
CREATE FUNCTION correct_call_v1(p_user uuid, p_call uuid, OUT corrected boolean, OUT amount bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    c calls;
    h credit_holds;
    v_tolerance numeric;
    v_seconds integer;
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT * INTO c FROM calls x WHERE x.user_id = p_user AND x.id = p_call FOR NO KEY UPDATE;
    corrected := false;
    amount := 0;
    SELECT * INTO h FROM credit_holds x WHERE x.user_id = p_user AND x.call_id = p_call;
    IF c.carrier_seconds IS NULL OR h.state IS DISTINCT FROM 'SETTLED' OR c.parent_id IS NOT NULL
        OR call_left_at(p_user, p_call) IS NOT NULL THEN
        RETURN;
    END IF;
    v_tolerance := greatest(2, h.settled_seconds * 0.02);
    v_seconds := CASE
        WHEN abs(c.carrier_seconds - h.settled_seconds) <= v_tolerance THEN h.settled_seconds
        WHEN c.carrier_seconds < h.settled_seconds THEN c.carrier_seconds
        WHEN c.end_reason IN ('lost', 'line_dead') THEN h.settled_seconds
        WHEN c.carrier_seconds > extract(epoch FROM c.ended_at - c.started_at) + v_tolerance THEN h.settled_seconds
        ELSE c.carrier_seconds
    END;
    SELECT z.fresh, z.amount INTO corrected, amount FROM correct_v1(p_user, p_call, v_seconds) z;
END
$$;
