-- Buckets that leak. Each try pours one in, before it is made, so that any number of processes at once get no more tries
-- than one would; a try that was all right is taken out again (throttle_forgive_v1).

-- Try: 0 when it may be made now, else the seconds until it may; who is told to wait has poured nothing in.
CREATE FUNCTION throttle_v1(p_key bytea, p_size double precision, p_leak_seconds double precision)
RETURNS double precision LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_level double precision;
    v_at timestamptz;
BEGIN
    LOOP
        SELECT t.level, t.updated_at INTO v_level, v_at FROM throttles t WHERE t.key = p_key FOR UPDATE;
        EXIT WHEN FOUND;
        -- Again until it is there to be locked: an empty bucket may be thrown away at this very moment.
        INSERT INTO throttles (key, level, updated_at) VALUES (p_key, 0, v_now) ON CONFLICT DO NOTHING;
    END LOOP;
    v_now := greatest(clock_timestamp(), v_at);
    v_level := greatest(0, v_level - extract(epoch FROM v_now - v_at) / p_leak_seconds);
    IF v_level + 1 > p_size THEN
        RETURN (v_level + 1 - p_size) * p_leak_seconds;
    END IF;
    UPDATE throttles t SET level = v_level + 1, updated_at = v_now WHERE t.key = p_key;
    RETURN 0;
END
$$;

CREATE FUNCTION throttle_forgive_v1(p_key bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    UPDATE throttles t SET level = greatest(0, t.level - 1) WHERE t.key = p_key
$$;
