-- What a customer used, by day of their zone and agent: days that are over are counted once and kept, so that a year of
-- them is read like a page. The rule: who reads adds to them what came since (`calls/usage.py`), so nothing shown is
-- ever older than the question, whenever this ran last.

-- Count the days of somebody that are over and were not counted yet, and anew those that a correction changed since.
-- All of it goes by one moment: to be called in a transaction that is a snapshot. True when anything was counted.
CREATE FUNCTION count_use_v1(p_user uuid, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
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
$$;
