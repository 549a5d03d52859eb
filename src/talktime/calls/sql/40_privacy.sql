-- A caller is forgotten, or a whole account: who called and what was said is emptied, and stays empty. The call itself
-- stays, because the books point at it. The rule: `forgotten_at` is set first, under the call's lock, and whatever comes
-- later (a turn of a call that still goes on, a summary, a leg, a report of the carrier) looks at it under the same lock.

-- Empty these calls of somebody, with their legs. The person that a leg was to is emptied when it is they who are
-- forgotten, or everybody. Calls that are live go on, and are charged; nothing more of them is kept. Gives how many were
-- not forgotten before.
CREATE FUNCTION forget_calls_v1(p_user uuid, p_calls uuid[], p_number text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_calls uuid[];
    v_fresh bigint;
BEGIN
    PERFORM assert_tenant(p_user);
    -- FOR UPDATE waits for whoever is writing a turn, or a report, and has found the call not forgotten.
    PERFORM FROM calls c WHERE c.user_id = p_user AND c.id = ANY (p_calls) ORDER BY c.id FOR UPDATE;
    -- A leg that was begun meanwhile is there now, and none can begin.
    SELECT array_agg(c.id) INTO v_calls FROM (
        SELECT c.id FROM calls c
        WHERE c.user_id = p_user AND (c.id = ANY (p_calls) OR c.parent_id = ANY (p_calls)) ORDER BY c.id FOR UPDATE
    ) c;
    SELECT count(*) INTO v_fresh FROM calls c
    WHERE c.user_id = p_user AND c.id = ANY (v_calls) AND c.forgotten_at IS NULL;
    DELETE FROM call_turns t WHERE t.user_id = p_user AND t.call_id = ANY (v_calls);
    UPDATE calls c SET
        caller = NULL, summary = NULL, forgotten_at = coalesce(c.forgotten_at, clock_timestamp()),
        dialled = CASE WHEN c.parent_id IS NULL OR c.dialled <> coalesce(p_number, c.dialled) THEN c.dialled END
    WHERE c.user_id = p_user AND c.id = ANY (v_calls);
    PERFORM forget_webhooks(p_user, v_calls);
    RETURN v_fresh;
END
$$;

-- What is said on a call that was forgotten is not written down. The lock is the one that the turn's foreign key takes.
CREATE FUNCTION call_turns_forgotten() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_forgotten timestamptz;
BEGIN
    SELECT c.forgotten_at INTO v_forgotten FROM calls c
    WHERE c.user_id = NEW.user_id AND c.id = NEW.call_id FOR KEY SHARE;
    RETURN CASE WHEN v_forgotten IS NULL THEN NEW END;
END
$$;

CREATE TRIGGER call_turns_forgotten BEFORE INSERT ON call_turns
    FOR EACH ROW EXECUTE FUNCTION call_turns_forgotten();

-- Nor what it led to; and a call once forgotten stays so.
CREATE FUNCTION calls_stay_forgotten() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    NEW.caller := NULL;
    NEW.summary := NULL;
    NEW.forgotten_at := OLD.forgotten_at;
    RETURN NEW;
END
$$;

CREATE TRIGGER calls_stay_forgotten BEFORE UPDATE OF caller, summary, forgotten_at ON calls
    FOR EACH ROW WHEN (OLD.forgotten_at IS NOT NULL) EXECUTE FUNCTION calls_stay_forgotten();

-- A leg of a call that was forgotten: its reports name the caller, too. Whoever inserts it holds the call's lock.
CREATE FUNCTION legs_are_forgotten() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    SELECT c.forgotten_at INTO NEW.forgotten_at FROM calls c
    WHERE c.user_id = NEW.user_id AND c.id = NEW.parent_id;
    RETURN NEW;
END
$$;

CREATE TRIGGER legs_are_forgotten BEFORE INSERT ON calls
    FOR EACH ROW WHEN (NEW.parent_id IS NOT NULL) EXECUTE FUNCTION legs_are_forgotten();

-- Of a carrier's form what is read of it: which call, how it stands, and for how long it lasted. Who called, from which
-- town, and everything else is left out. What is no such form leaves nothing.
CREATE FUNCTION report_without_people(p_body bytea) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce(decode(string_agg(f.field, '&' ORDER BY f.place), 'escape'), ''::bytea)
    FROM regexp_split_to_table(encode(p_body, 'escape'), '&') WITH ORDINALITY AS f (field, place)
    WHERE split_part(f.field, '=', 1) IN (
        'AccountSid', 'ApiVersion', 'CallDuration', 'CallSid', 'CallStatus', 'CallbackSource', 'DialCallDuration',
        'DialCallSid', 'DialCallStatus', 'Direction', 'Duration', 'ParentCallSid', 'SequenceNumber', 'Timestamp'
    )
$$;

-- The name that a carrier gave a call stands first in the name of its event, up to a colon.
CREATE FUNCTION call_of_event(p_provider text, p_event_id text, OUT user_id uuid, OUT call_id uuid) RETURNS record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT d.user_id, d.call_id FROM call_directory d
    WHERE d.carrier = p_provider AND d.carrier_call_id = split_part(p_event_id, ':', 1)
$$;

-- A report that comes after its caller was forgotten brings nobody back; nor does one of a call that nobody knows, which
-- could not be found when its caller asks to be forgotten.
CREATE FUNCTION reports_forget() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_user uuid;
    v_call uuid;
    v_forgotten timestamptz;
BEGIN
    SELECT z.user_id, z.call_id INTO v_user, v_call FROM call_of_event(NEW.provider, NEW.event_id) z;
    SELECT c.forgotten_at INTO v_forgotten FROM calls c WHERE c.user_id = v_user AND c.id = v_call FOR KEY SHARE;
    IF NOT FOUND OR v_forgotten IS NOT NULL THEN
        NEW.body := report_without_people(NEW.body);
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER reports_forget BEFORE INSERT ON provider_events
    FOR EACH ROW WHEN (NEW.kind = 'carrier.report') EXECUTE FUNCTION reports_forget();

-- The reports in the inbox that are about forgotten calls of somebody, or of everybody, from one event's id on: page by
-- page, because the inbox may be long. Gives the last one looked at, NULL at the end, and how many had to be emptied.
CREATE FUNCTION forget_reports_v1(p_user uuid, p_after uuid, p_most integer, OUT last uuid, OUT emptied bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM assert_tenant(p_user);
    WITH page AS (
        SELECT e.id, e.provider, e.event_id, e.kind FROM provider_events e
        WHERE e.id > p_after ORDER BY e.id LIMIT p_most
    ), changed AS (
        UPDATE provider_events e SET body = report_without_people(e.body)
        FROM page p CROSS JOIN LATERAL call_of_event(p.provider, p.event_id) d
            JOIN calls c ON c.user_id = d.user_id AND c.id = d.call_id
        WHERE e.id = p.id AND p.kind = 'carrier.report' AND c.forgotten_at IS NOT NULL
            AND (p_user IS NULL OR d.user_id = p_user) AND e.body <> report_without_people(e.body)
        RETURNING 1
    )
    SELECT (SELECT p.id FROM page p ORDER BY p.id DESC LIMIT 1), (SELECT count(*) FROM changed) INTO last, emptied;
END
$$;

-- Put a word in the place of whatever matches, in what is kept of somebody's calls: callers tell each other's numbers.
-- From one call's id on, page by page; gives the last one looked at, NULL at the end, and how much was changed.
CREATE FUNCTION redact_calls_v1(
    p_user uuid, p_after uuid, p_most integer, p_pattern text, p_word text, OUT last uuid, OUT changed bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_calls uuid[];
    v_more bigint;
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT array_agg(c.id ORDER BY c.id) INTO v_calls FROM (
        SELECT c.id FROM calls c WHERE c.user_id = p_user AND c.id > p_after ORDER BY c.id LIMIT p_most
    ) c;
    last := v_calls[cardinality(v_calls)];
    UPDATE calls c SET summary = regexp_replace(c.summary, p_pattern, p_word, 'g')
    WHERE c.user_id = p_user AND c.id = ANY (v_calls) AND c.summary ~ p_pattern;
    GET DIAGNOSTICS changed = ROW_COUNT;
    UPDATE call_turns t SET
        text = regexp_replace(t.text, p_pattern, p_word, 'g'),
        tools = redacted(t.tools, p_pattern, p_word),
        sources = redacted(t.sources, p_pattern, p_word)
    WHERE t.user_id = p_user AND t.call_id = ANY (v_calls)
        AND (t.text ~ p_pattern OR t.tools::text ~ p_pattern OR t.sources::text ~ p_pattern);
    GET DIAGNOSTICS v_more = ROW_COUNT;
    UPDATE turn_corrections x SET text = left(regexp_replace(x.text, p_pattern, p_word, 'g'), 1000)
    WHERE x.user_id = p_user AND x.call_id = ANY (v_calls) AND x.text ~ p_pattern;
    UPDATE charge_claims k SET note = regexp_replace(k.note, p_pattern, p_word, 'g')
    WHERE k.user_id = p_user AND k.call_id = ANY (v_calls) AND k.note ~ p_pattern;
    changed := changed + v_more;
END
$$;

-- The same in JSON: texts within it, and numbers, which become null. A key is never touched.
CREATE FUNCTION redacted(p_value jsonb, p_pattern text, p_word text) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF p_value IS NULL OR p_value::text !~ p_pattern THEN
        RETURN p_value;
    END IF;
    RETURN CASE jsonb_typeof(p_value)
        WHEN 'string' THEN to_jsonb(regexp_replace(p_value #>> '{}', p_pattern, p_word, 'g'))
        WHEN 'number' THEN 'null'::jsonb
        WHEN 'array' THEN (
            SELECT coalesce(jsonb_agg(redacted(e.value, p_pattern, p_word) ORDER BY e.place), '[]'::jsonb)
            FROM jsonb_array_elements(p_value) WITH ORDINALITY AS e (value, place)
        )
        WHEN 'object' THEN (
            SELECT coalesce(jsonb_object_agg(e.key, redacted(e.value, p_pattern, p_word)), '{}'::jsonb)
            FROM jsonb_each(p_value) AS e
        )
        ELSE p_value
    END;
END
$$;

-- What somebody is told and was told, of the same: there should never have been a number in it.
CREATE FUNCTION redact_notices_v1(p_user uuid, p_pattern text, p_word text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_changed bigint;
BEGIN
    PERFORM assert_tenant(p_user);
    UPDATE notices n SET detail = redacted(n.detail, p_pattern, p_word)
    WHERE n.user_id = p_user AND n.detail::text ~ p_pattern;
    GET DIAGNOSTICS v_changed = ROW_COUNT;
    RETURN v_changed;
END
$$;

-- An account is closed: what its agents say and know is its owner's, down to the name over the door. The versions stay,
-- because calls point at them, and say nothing any more.
CREATE FUNCTION empty_agents_v1(p_user uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM assert_tenant(p_user);
    UPDATE agents a SET
        name = 'Agent', business = '', active = false, archived_at = coalesce(a.archived_at, clock_timestamp()),
        updated_at = clock_timestamp()
    WHERE a.user_id = p_user;
    UPDATE agent_versions v SET
        business = '', greeting = '-', instructions = '', facts = '', tone = '', avoid = '',
        knowledge = '[]', phrases = '[]', tools = '[]', people = '[]', fallback = '{}'
    WHERE v.user_id = p_user;
    UPDATE agent_drafts d SET
        content = NULL, based_on = NULL, touched = '{}', saved_by = NULL,
        revision = d.revision + 1, opened_revision = d.revision + 1, updated_at = clock_timestamp()
    WHERE d.user_id = p_user AND d.content IS NOT NULL;
END
$$;
