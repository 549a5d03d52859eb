-- Finding calls by what was said on them. The rule: there is no second copy of what was said. The index is on the turns
-- themselves, so what retention and erasure take away cannot be found a moment later.

-- A text as its words are taken from it. A database with the locale C, as some have, makes small letters of ASCII's
-- capitals alone; these are the others of western and central Europe.
CREATE FUNCTION word_text(p_text text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT to_tsvector('simple'::regconfig, translate(
        left(p_text, 100000), 'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞĄĆČĎĘĚŁŃŇŒŘŚŠŤŮŹŻŽ',
        'àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþąćčďęěłńňœřśšťůźżž'
    ))
$$;

-- The words of a turn, each behind a short key of whose call it is and of when it rang: the first five digits of the
-- call's id (UUIDv7) are a stretch of 2^28 milliseconds, about three days. So a word that half of all calls have is
-- looked for in the newest stretch alone, and nobody else's calls are even passed over.
CREATE FUNCTION turn_words(p_user uuid, p_call uuid, p_text text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT array_to_tsvector(coalesce(
        array_agg(left(md5(p_user::text || left(p_call::text, 5)), 10) || left(w.word, 200)), '{}'
    ))
    FROM unnest(tsvector_to_array(word_text(p_text))) AS w (word)
$$;

CREATE INDEX ix_call_turns_words ON call_turns USING gin (turn_words(user_id, call_id, text));

-- The words that somebody looks for; NULL when there are none.
CREATE FUNCTION words_of(p_text text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT array_agg(x.word) FROM (
        SELECT w.word FROM unnest(tsvector_to_array(word_text(p_text))) AS w (word)
        ORDER BY length(w.word) DESC, w.word LIMIT 8
    ) x
$$;

-- A word as a question, behind each of these keys: from three letters on it finds longer ones that begin with it.
CREATE FUNCTION word_query(p_keys text[], p_word text) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT string_agg(
        '''' || replace(replace(k.key || left(p_word, 200), '\', '\\'), '''', '''''') || ''''
            || CASE WHEN length(p_word) >= 3 THEN ':*' ELSE '' END,
        ' | '
    )::tsquery FROM unnest(p_keys) AS k (key)
$$;

-- The first id that a call of this moment can have.
CREATE FUNCTION id_of_moment(p_at timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT rpad(lpad(to_hex(greatest(0, extract(epoch FROM p_at) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;

-- The keys of the newest stretches below an id in which somebody has turns, at most so many, and where the last begins.
CREATE FUNCTION word_keys(p_user uuid, p_below uuid, p_floor uuid, p_most integer, OUT keys text[], OUT low uuid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
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
$$;

-- Which of these calls of somebody have all these words, in their order, each with the first turn that has one of them.
-- NULL where the text holds no word.
CREATE FUNCTION said_on_v1(p_user uuid, p_calls uuid[], p_text text, OUT calls uuid[], OUT turns integer[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
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
$$;

-- The calls of somebody on which all these words were said, below an id, the newest first: at most so many, each with the
-- first turn that has one of them. `reached` is below what to go on; NULL when there is nothing more. `calls` is NULL where
-- the text holds no word.
-- The rarest word leads, through one stretch of time, then two, four, eight … A look at many calls that leads to nothing
-- is broken off; one may go on from there.
CREATE FUNCTION find_words_v1(
    p_user uuid, p_text text, p_below uuid, p_most integer, p_agent uuid, p_number uuid, p_status call_status,
    p_outcome text, p_end_reasons text[], p_caller text, p_from timestamptz, p_before timestamptz,
    OUT calls uuid[], OUT turns integer[], OUT reached uuid
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET enable_seqscan = off AS $$
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
$$;
