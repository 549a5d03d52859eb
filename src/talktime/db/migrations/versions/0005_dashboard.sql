SET check_function_bodies = off;

CREATE TABLE job_runs (
    job_id bigint NOT NULL,
    name text NOT NULL,
    tries integer NOT NULL,
    ended_at timestamp with time zone DEFAULT now() NOT NULL,
    error text
);

CREATE TABLE operating_quarters (
    began timestamp with time zone NOT NULL,
    calls integer NOT NULL,
    seconds bigint NOT NULL,
    credits bigint NOT NULL,
    earned jsonb NOT NULL,
    cost jsonb NOT NULL,
    unknown boolean NOT NULL,
    estimated boolean NOT NULL
);

CREATE TABLE turn_corrections (
    user_id uuid NOT NULL,
    call_id uuid NOT NULL,
    turn_no integer NOT NULL,
    text text NOT NULL,
    agent_id uuid,
    agent_version integer,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    settled_at timestamp with time zone
);
ALTER TABLE turn_corrections ENABLE ROW LEVEL SECURITY;

CREATE TABLE use_counts (
    user_id uuid NOT NULL,
    zone text NOT NULL,
    until timestamp with time zone NOT NULL,
    seq bigint NOT NULL
);
ALTER TABLE use_counts ENABLE ROW LEVEL SECURITY;

CREATE TABLE use_days (
    user_id uuid NOT NULL,
    day date NOT NULL,
    agent_id uuid NOT NULL,
    calls integer NOT NULL,
    seconds bigint NOT NULL,
    credits bigint NOT NULL
);
ALTER TABLE use_days ENABLE ROW LEVEL SECURITY;

CREATE OR REPLACE FUNCTION public.calls_cost_carrier()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_seconds bigint := coalesce(NEW.carrier_seconds, NEW.seconds, 0);
    v_ask_at timestamptz := clock_timestamp() + interval '2 minutes';
BEGIN
    IF NEW.carrier = 'browser' THEN
        RETURN NULL;  -- the customer called their own agent, and no phone company is owed anything for it
    END IF;
    INSERT INTO call_costs AS k (
        user_id, call_id, provider, kind, quantity, estimated, amount_micros, currency, ask_at
    )
    SELECT NEW.user_id, NEW.id, NEW.carrier, 'CARRIER_SECONDS', v_seconds, NEW.carrier_seconds IS NULL,
        a.amount_micros, a.currency, v_ask_at
    FROM cost_amount(NEW.carrier, 'CARRIER_SECONDS', v_seconds, NEW.started_at) a
    WHERE v_seconds > 0 OR EXISTS (
        SELECT FROM call_costs x WHERE x.user_id = NEW.user_id AND x.call_id = NEW.id
            AND x.provider = NEW.carrier AND x.kind = 'CARRIER_SECONDS'
    )
    ON CONFLICT (user_id, call_id, provider, kind) DO UPDATE SET
        quantity = excluded.quantity,
        estimated = excluded.estimated,
        amount_micros = CASE WHEN k.reported THEN k.amount_micros ELSE excluded.amount_micros END,
        currency = CASE WHEN k.reported THEN k.currency ELSE excluded.currency END;
    RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION public.calls_tell()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_wanted mail_choices;
    v_kind text;
    v_wait interval := '0';
BEGIN
    -- Whoever never chose has no row, and gets what `notices/choices.py` says by default.
    SELECT * INTO v_wanted FROM mail_choices m WHERE m.user_id = NEW.user_id;
    IF NEW.outcome = 'message' THEN
        v_kind := CASE WHEN coalesce(v_wanted.messages, true) THEN 'message_taken' END;
    ELSIF NEW.answered_at IS NULL AND NEW.carrier = 'browser' THEN
        RETURN NULL;  -- the customer called their own agent: nobody was missed
    ELSIF NEW.answered_at IS NULL THEN
        -- Those that come in the next minutes go with the first one's mail: nobody wants fifty. While such a mail waits
        -- there is no second one (uq_notices_gathering).
        v_kind := CASE WHEN coalesce(v_wanted.missed_calls, true) THEN 'missed_calls' END;
        v_wait := '5 minutes';
    ELSE
        v_kind := CASE WHEN coalesce(v_wanted.summaries, false) THEN 'call_summary' END;
        -- A summary may still be on its way.
        v_wait := '2 minutes';
    END IF;
    IF v_kind IS NOT NULL THEN
        INSERT INTO notices (user_id, id, kind, subject, detail, not_before)
        VALUES (
            NEW.user_id, gen_random_uuid(), v_kind, NEW.id::text, jsonb_build_object('call_id', NEW.id), now() + v_wait
        ) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION public.count_use_v1(p_user uuid, p_now timestamp with time zone)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_zone text;
    v_until timestamptz;
    v_open timestamptz;
    v_seq bigint;
    v_before use_counts;
    v_stale date[];
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT u.zone INTO STRICT v_zone FROM users u WHERE u.id = p_user;
    SELECT * INTO v_before FROM use_counts s WHERE s.user_id = p_user;
    SELECT min(c.started_at) INTO v_open FROM calls c
    WHERE c.user_id = p_user AND c.status IN ('RINGING', 'IN_PROGRESS');
    -- A day with a call that still goes on is not over; nor is one that ended this minute, whose last call may not be
    -- committed yet.
    v_until := date_trunc('day', least(p_now - interval '10 minutes', v_open), v_zone);
    SELECT coalesce(max(a.seq), 0) INTO v_seq FROM credit_accounts a WHERE a.user_id = p_user;
    IF v_before.zone IS DISTINCT FROM v_zone THEN
        -- Other days altogether.
        DELETE FROM use_days d WHERE d.user_id = p_user;
        v_before.until := '-infinity';
    ELSE
        v_until := greatest(v_until, v_before.until);
        SELECT array_agg(DISTINCT (c.started_at AT TIME ZONE v_zone)::date) INTO v_stale
        FROM credit_transactions t JOIN calls c ON c.user_id = t.user_id AND c.id = t.call_id
        WHERE t.user_id = p_user AND t.seq > v_before.seq AND t.call_id IS NOT NULL AND c.started_at < v_before.until;
        DELETE FROM use_days d WHERE d.user_id = p_user AND d.day = ANY (v_stale);
    END IF;
    INSERT INTO use_days (user_id, day, agent_id, calls, seconds, credits)
    SELECT p_user, x.day, x.agent_id, count(*) FILTER (WHERE x.is_call), coalesce(sum(x.seconds), 0),
        coalesce(sum(x.credits), 0)
    FROM (
        SELECT (c.started_at AT TIME ZONE v_zone)::date AS day,
            coalesce(c.agent_id, '00000000-0000-0000-0000-000000000000') AS agent_id,
            c.parent_id IS NULL AND c.resumes_id IS NULL AS is_call, c.seconds, h.charged + h.corrected AS credits
        FROM (
            SELECT * FROM calls n
            WHERE n.user_id = p_user AND n.started_at >= v_before.until AND n.started_at < v_until
            UNION ALL
            SELECT s.* FROM unnest(v_stale) AS stale (day) JOIN calls s ON s.user_id = p_user
                AND s.started_at >= stale.day::timestamp AT TIME ZONE v_zone
                AND s.started_at < (stale.day + 1)::timestamp AT TIME ZONE v_zone
        ) c LEFT JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id
    ) x GROUP BY x.day, x.agent_id;
    INSERT INTO use_counts AS s (user_id, zone, until, seq) VALUES (p_user, v_zone, v_until, v_seq)
    ON CONFLICT (user_id) DO UPDATE SET zone = excluded.zone, until = excluded.until, seq = excluded.seq;
    RETURN v_stale IS NOT NULL OR v_until > v_before.until;
END
$function$;

REVOKE ALL ON FUNCTION count_use_v1(p_user uuid, p_now timestamp with time zone) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.find_words_v1(p_user uuid, p_text text, p_below uuid, p_most integer, p_agent uuid, p_number uuid, p_status call_status, p_outcome text, p_end_reasons text[], p_caller text, p_from timestamp with time zone, p_before timestamp with time zone, OUT calls uuid[], OUT turns integer[], OUT reached uuid)
 RETURNS record
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
 SET enable_seqscan TO 'off'
AS $function$
DECLARE
    v_floor uuid := coalesce(id_of_moment(p_from - interval '1 hour'), '00000000-0000-0000-0000-000000000000');
    v_edge uuid := least(
        p_below, id_of_moment(p_before + interval '1 hour'), 'ffffffff-ffff-ffff-ffff-ffffffffffff'
    );
    v_words text[] := words_of(p_text);
    v_lead text := v_words[1];
    v_second text;
    v_size integer := 1;
    v_left integer := 600;
    v_keys text[];
    v_low uuid;
    v_word text;
    v_count bigint;
    v_least bigint;
    v_next bigint;
    v_looked uuid[];
    v_said uuid[];
    v_turns integer[];
    v_most integer;
BEGIN
    PERFORM assert_tenant(p_user);
    IF v_words IS NULL THEN
        RETURN;
    END IF;
    calls := '{}';
    turns := '{}';
    SELECT k.keys INTO v_keys FROM word_keys(p_user, v_edge, v_floor, 1) k;
    IF v_keys IS NULL THEN
        RETURN;
    END IF;
    -- The words come longest first: of those that are as rare in the newest stretch, the longest leads.
    IF cardinality(v_words) > 1 THEN
        FOREACH v_word IN ARRAY v_words LOOP
            SELECT count(*) INTO v_count FROM call_turns t
            WHERE turn_words(t.user_id, t.call_id, t.text) @@ word_query(v_keys, v_word);
            IF v_least IS NULL OR v_count < v_least THEN
                v_next := v_least;
                v_second := CASE WHEN v_least IS NOT NULL THEN v_lead END;
                v_least := v_count;
                v_lead := v_word;
            ELSIF v_next IS NULL OR v_count < v_next THEN
                v_next := v_count;
                v_second := v_word;
            END IF;
        END LOOP;
        -- Another rare one is asked of the index, too; a common one of the calls that the first leads to.
        v_second := CASE WHEN v_next <= 200 THEN v_second END;
    END IF;
    LOOP
        SELECT k.keys, k.low INTO v_keys, v_low FROM word_keys(p_user, v_edge, v_floor, v_size) k;
        EXIT WHEN v_keys IS NULL;
        v_most := CASE WHEN cardinality(v_words) = 1 THEN p_most - cardinality(calls) ELSE v_left END;
        WITH said AS MATERIALIZED (
            SELECT t.user_id, t.call_id, t.turn_no FROM call_turns t
            WHERE turn_words(t.user_id, t.call_id, t.text) @@ word_query(v_keys, v_lead)
        ), also AS MATERIALIZED (
            SELECT t.call_id FROM call_turns t
            WHERE turn_words(t.user_id, t.call_id, t.text) @@ word_query(v_keys, v_second)
        ), found AS MATERIALIZED (
            SELECT s.call_id, min(s.turn_no) AS turn_no FROM said s
            WHERE s.user_id = p_user AND s.call_id < v_edge AND s.call_id >= v_floor
                AND (v_second IS NULL OR s.call_id IN (SELECT a.call_id FROM also a))
            GROUP BY s.call_id ORDER BY s.call_id DESC
        )
        SELECT array_agg(z.call_id), array_agg(z.turn_no) INTO v_looked, v_turns FROM (
            SELECT f.call_id, f.turn_no FROM found f CROSS JOIN LATERAL (
                SELECT FROM calls c
                WHERE c.user_id = p_user AND c.id = f.call_id
                    AND (p_agent IS NULL OR c.agent_id = p_agent) AND (p_number IS NULL OR c.number_id = p_number)
                    AND (p_status IS NULL OR c.status = p_status) AND (p_outcome IS NULL OR c.outcome = p_outcome)
                    AND (p_end_reasons IS NULL OR c.end_reason = ANY (p_end_reasons))
                    AND (p_caller IS NULL OR c.caller = p_caller)
                    AND (p_from IS NULL OR c.started_at >= p_from) AND (p_before IS NULL OR c.started_at < p_before)
                OFFSET 0
            ) c LIMIT v_most
        ) z;
        IF cardinality(v_words) = 1 THEN
            calls := calls || coalesce(v_looked, '{}');
            turns := turns || coalesce(v_turns, '{}');
        ELSIF v_looked IS NOT NULL THEN
            -- Some at a time: where the words are said together often, the first will do.
            FOR v_part IN 0 .. (cardinality(v_looked) - 1) / 60 LOOP
                EXIT WHEN cardinality(calls) >= p_most;
                SELECT s.calls, s.turns INTO v_said, v_turns
                FROM said_on_v1(p_user, v_looked[v_part * 60 + 1 : v_part * 60 + 60], p_text) s;
                calls := calls || v_said;
                turns := turns || v_turns;
            END LOOP;
            v_left := v_left - cardinality(v_looked);
        END IF;
        IF cardinality(calls) >= p_most THEN
            calls := calls[1 : p_most];
            turns := turns[1 : p_most];
            reached := calls[p_most];
            RETURN;
        ELSIF v_left <= 0 THEN
            reached := v_looked[cardinality(v_looked)];
            RETURN;
        END IF;
        v_edge := v_low;
        v_size := v_size * 2;
    END LOOP;
END
$function$;

REVOKE ALL ON FUNCTION find_words_v1(p_user uuid, p_text text, p_below uuid, p_most integer, p_agent uuid, p_number uuid, p_status call_status, p_outcome text, p_end_reasons text[], p_caller text, p_from timestamp with time zone, p_before timestamp with time zone, OUT calls uuid[], OUT turns integer[], OUT reached uuid) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.id_of_moment(p_at timestamp with time zone)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
    SELECT rpad(lpad(to_hex(greatest(0, extract(epoch FROM p_at) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$function$;

REVOKE ALL ON FUNCTION id_of_moment(p_at timestamp with time zone) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.redact_calls_v1(p_user uuid, p_after uuid, p_most integer, p_pattern text, p_word text, OUT last uuid, OUT changed bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION public.said_on_v1(p_user uuid, p_calls uuid[], p_text text, OUT calls uuid[], OUT turns integer[])
 RETURNS record
 LANGUAGE plpgsql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_queries tsquery[];
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT array_agg(word_query(ARRAY[''], w.word)) INTO v_queries FROM unnest(words_of(p_text)) AS w (word);
    IF v_queries IS NULL THEN
        RETURN;
    END IF;
    SELECT coalesce(array_agg(f.call_id ORDER BY f.place), '{}'), coalesce(array_agg(f.turn_no ORDER BY f.place), '{}')
    INTO calls, turns FROM (
        SELECT t.call_id, t.place, min(t.turn_no) AS turn_no
        FROM (
            SELECT p.call_id, p.place, x.turn_no, word_text(x.text) AS words
            FROM unnest(p_calls) WITH ORDINALITY AS p (call_id, place)
            JOIN call_turns x ON x.user_id = p_user AND x.call_id = p.call_id
            OFFSET 0
        ) t
        JOIN unnest(v_queries) WITH ORDINALITY AS q (query, no) ON t.words @@ q.query
        GROUP BY t.call_id, t.place HAVING count(DISTINCT q.no) = cardinality(v_queries)
    ) f;
END
$function$;

REVOKE ALL ON FUNCTION said_on_v1(p_user uuid, p_calls uuid[], p_text text, OUT calls uuid[], OUT turns integer[]) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.turn_words(p_user uuid, p_call uuid, p_text text)
 RETURNS tsvector
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
    SELECT array_to_tsvector(coalesce(
        array_agg(left(md5(p_user::text || left(p_call::text, 5)), 10) || left(w.word, 200)), '{}'
    ))
    FROM unnest(tsvector_to_array(word_text(p_text))) AS w (word)
$function$;

REVOKE ALL ON FUNCTION turn_words(p_user uuid, p_call uuid, p_text text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.word_keys(p_user uuid, p_below uuid, p_floor uuid, p_most integer, OUT keys text[], OUT low uuid)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_call uuid;
BEGIN
    low := p_below;
    FOR _ IN 1 .. p_most LOOP
        SELECT t.call_id INTO v_call FROM call_turns t
        WHERE t.user_id = p_user AND t.call_id < low AND t.call_id >= p_floor
        ORDER BY t.user_id DESC, t.call_id DESC LIMIT 1;
        EXIT WHEN v_call IS NULL;
        keys := keys || left(md5(p_user::text || left(v_call::text, 5)), 10);
        low := rpad(left(v_call::text, 5), 32, '0')::uuid;
    END LOOP;
END
$function$;

REVOKE ALL ON FUNCTION word_keys(p_user uuid, p_below uuid, p_floor uuid, p_most integer, OUT keys text[], OUT low uuid) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.word_query(p_keys text[], p_word text)
 RETURNS tsquery
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
    SELECT string_agg(
        '''' || replace(replace(k.key || left(p_word, 200), '\', '\\'), '''', '''''') || ''''
            || CASE WHEN length(p_word) >= 3 THEN ':*' ELSE '' END,
        ' | '
    )::tsquery FROM unnest(p_keys) AS k (key)
$function$;

REVOKE ALL ON FUNCTION word_query(p_keys text[], p_word text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.word_text(p_text text)
 RETURNS tsvector
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
    SELECT to_tsvector('simple'::regconfig, translate(
        left(p_text, 100000), 'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞĄĆČĎĘĚŁŃŇŒŘŚŠŤŮŹŻŽ',
        'àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþąćčďęěłńňœřśšťůźżž'
    ))
$function$;

REVOKE ALL ON FUNCTION word_text(p_text text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.words_of(p_text text)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
    SELECT array_agg(x.word) FROM (
        SELECT w.word FROM unnest(tsvector_to_array(word_text(p_text))) AS w (word)
        ORDER BY length(w.word) DESC, w.word LIMIT 8
    ) x
$function$;

REVOKE ALL ON FUNCTION words_of(p_text text) FROM PUBLIC;
ALTER TABLE job_runs ADD CONSTRAINT pk_job_runs PRIMARY KEY (job_id);
ALTER TABLE operating_quarters ADD CONSTRAINT pk_operating_quarters PRIMARY KEY (began);
ALTER TABLE turn_corrections ADD CONSTRAINT pk_turn_corrections PRIMARY KEY (user_id, call_id, turn_no);
ALTER TABLE use_counts ADD CONSTRAINT pk_use_counts PRIMARY KEY (user_id);
ALTER TABLE use_days ADD CONSTRAINT pk_use_days PRIMARY KEY (user_id, day, agent_id);
ALTER TABLE operating_quarters ADD CONSTRAINT ck_operating_quarters_counts CHECK (((calls >= 0) AND (seconds >= 0)));
ALTER TABLE turn_corrections ADD CONSTRAINT ck_turn_corrections_text CHECK (((length(text) >= 1) AND (length(text) <= 1000)));
ALTER TABLE use_days ADD CONSTRAINT ck_use_days_counts CHECK (((calls >= 0) AND (seconds >= 0)));
CREATE INDEX ix_call_turns_words ON public.call_turns USING gin (turn_words(user_id, call_id, text));
CREATE INDEX ix_calls_started_at ON public.calls USING btree (started_at);
CREATE INDEX ix_calls_user_id_end_reason ON public.calls USING btree (user_id, end_reason, started_at, id) WHERE (end_reason <> ALL (ARRAY['caller_hung_up'::text, 'agent_hung_up'::text]));
CREATE INDEX ix_credit_holds_free ON public.credit_holds USING btree (created_at, call_id) WHERE ((state = 'SETTLED'::hold_state) AND ((charged + corrected) = 0));
CREATE INDEX ix_job_runs_done ON public.job_runs USING btree (job_id) WHERE (error IS NULL);
CREATE INDEX ix_provider_events_received_at ON public.provider_events USING btree (provider, received_at);
CREATE INDEX ix_turn_corrections_open ON public.turn_corrections USING btree (user_id, agent_id, updated_at, call_id, turn_no) WHERE (settled_at IS NULL);
ALTER TABLE turn_corrections ADD CONSTRAINT fk_turn_corrections_user_id_call_id_turn_no FOREIGN KEY (user_id, call_id, turn_no) REFERENCES call_turns(user_id, call_id, turn_no) ON DELETE CASCADE;
ALTER TABLE use_counts ADD CONSTRAINT fk_use_counts_user_id FOREIGN KEY (user_id) REFERENCES users(id);
ALTER TABLE use_days ADD CONSTRAINT fk_use_days_user_id FOREIGN KEY (user_id) REFERENCES users(id);
CREATE POLICY everyone ON turn_corrections AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON turn_corrections AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON use_counts AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON use_counts AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON use_days AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON use_days AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
GRANT EXECUTE ON FUNCTION count_use_v1(p_user uuid, p_now timestamp with time zone) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION find_words_v1(p_user uuid, p_text text, p_below uuid, p_most integer, p_agent uuid, p_number uuid, p_status call_status, p_outcome text, p_end_reasons text[], p_caller text, p_from timestamp with time zone, p_before timestamp with time zone, OUT calls uuid[], OUT turns integer[], OUT reached uuid) TO talktime;
GRANT EXECUTE ON FUNCTION find_words_v1(p_user uuid, p_text text, p_below uuid, p_most integer, p_agent uuid, p_number uuid, p_status call_status, p_outcome text, p_end_reasons text[], p_caller text, p_from timestamp with time zone, p_before timestamp with time zone, OUT calls uuid[], OUT turns integer[], OUT reached uuid) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION said_on_v1(p_user uuid, p_calls uuid[], p_text text, OUT calls uuid[], OUT turns integer[]) TO talktime;
GRANT EXECUTE ON FUNCTION said_on_v1(p_user uuid, p_calls uuid[], p_text text, OUT calls uuid[], OUT turns integer[]) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION turn_words(p_user uuid, p_call uuid, p_text text) TO talktime;
GRANT EXECUTE ON FUNCTION turn_words(p_user uuid, p_call uuid, p_text text) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION word_text(p_text text) TO talktime;
GRANT EXECUTE ON FUNCTION word_text(p_text text) TO talktime_everyone;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE job_runs TO talktime_everyone;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE operating_quarters TO talktime_everyone;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE turn_corrections TO talktime;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE turn_corrections TO talktime_everyone;
GRANT SELECT ON TABLE use_counts TO talktime;
GRANT SELECT ON TABLE use_counts TO talktime_everyone;
GRANT SELECT ON TABLE use_days TO talktime;
GRANT SELECT ON TABLE use_days TO talktime_everyone;
