-- What is kept of calls for so long and no longer: what was said, what it came to, who called. The calls themselves stay,
-- because the books point at them.

-- Empty a stretch of somebody's calls, by when they began: `p_kind` is `turns`, `summaries` or `callers`. At most so many
-- calls at a turn, so that nobody waits for long; gives how many, 0 when nothing of them is left, and from when on there
-- may be more.
CREATE FUNCTION retain_calls_v1(
    p_user uuid, p_kind text, p_from timestamptz, p_to timestamptz, p_most integer,
    OUT emptied bigint, OUT reached timestamptz
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_calls uuid[];
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_kind NOT IN ('turns', 'summaries', 'callers') THEN
        RAISE EXCEPTION 'nothing of calls is called %', p_kind USING ERRCODE = 'TT422';
    END IF;
    -- A call that goes on is nobody's to empty, however long ago it began.
    SELECT array_agg(c.id), coalesce(max(c.started_at), p_to) INTO v_calls, reached FROM (
        SELECT c.id, c.started_at FROM calls c
        WHERE c.user_id = p_user AND c.started_at >= p_from AND c.started_at < p_to AND c.ended_at IS NOT NULL
            AND CASE p_kind
                WHEN 'turns' THEN EXISTS (
                    SELECT FROM call_turns t WHERE t.user_id = c.user_id AND t.call_id = c.id
                )
                WHEN 'summaries' THEN c.summary IS NOT NULL
                -- Of a leg, what was dialled is a person's number; of any other call it is the customer's own.
                ELSE c.caller IS NOT NULL OR c.parent_id IS NOT NULL AND c.dialled IS NOT NULL
            END
        ORDER BY c.started_at, c.id LIMIT p_most
    ) c;
    emptied := coalesce(cardinality(v_calls), 0);
    IF emptied = 0 THEN
        RETURN;
    END IF;
    CASE p_kind
        WHEN 'turns' THEN
            DELETE FROM call_turns t WHERE t.user_id = p_user AND t.call_id = ANY (v_calls);
        WHEN 'summaries' THEN
            UPDATE calls c SET summary = NULL WHERE c.user_id = p_user AND c.id = ANY (v_calls);
        ELSE
            UPDATE calls c SET caller = NULL, dialled = CASE WHEN c.parent_id IS NULL THEN c.dialled END
            WHERE c.user_id = p_user AND c.id = ANY (v_calls);
    END CASE;
    IF p_kind <> 'turns' THEN
        -- What was told of them to the customer's programs, and what these answered, holds both.
        PERFORM forget_webhooks(p_user, v_calls);
    END IF;
END
$$;
