-- What a program asks with: its key is looked up and its allowance taken in one round trip, before each request.

-- Whose key this is; NULLs for one that opens nothing. `wait_seconds` above 0: nothing is told before that time is over.
--
-- Two buckets of `throttle_v1`'s kind are poured into, the key's and the account's, both or neither, in that order for
-- everybody. A wrong key is a guess, counted by where it comes from; the same one again is the same guess, so that a
-- program which is left with a stale key does not shut out its neighbours. `p_guess` is the network and the key.
CREATE FUNCTION enter_api_v1(
    p_key_hash bytea, p_network bytea, p_guess bytea, p_guesses double precision, p_guess_leak_seconds double precision,
    p_size double precision, p_account_size double precision, p_leak_seconds double precision,
    OUT key_id uuid, OUT user_id uuid, OUT scopes text[], OUT role text, OUT zone text, OUT locale text,
    OUT wait_seconds double precision, OUT remaining double precision
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_key bytea;
    v_account bytea;
    v_level double precision;
    v_account_level double precision;
    v_used timestamptz;
    v_status user_status;
    v_ended timestamptz;
BEGIN
    -- A count or two may be lost with a server that falls: no request waits for the disk to be counted.
    PERFORM set_config('synchronous_commit', 'off', true);
    -- Who guessed too much is not told whether the next guess was right.
    SELECT t.level - extract(epoch FROM v_now - t.updated_at) / p_guess_leak_seconds INTO v_level
    FROM throttles t WHERE t.key = p_network;
    wait_seconds := greatest(0, (coalesce(v_level, 0) + 1 - p_guesses) * p_guess_leak_seconds);
    IF wait_seconds > 0 THEN
        RETURN;
    END IF;
    SELECT k.id, k.user_id, k.scopes, k.last_used_at, coalesce(k.revoked_at, k.expires_at), u.status, u.role::text, u.zone, u.locale
    INTO key_id, user_id, scopes, v_used, v_ended, v_status, role, zone, locale
    FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.key_hash = p_key_hash;
    IF NOT FOUND THEN
        INSERT INTO throttles (key, level, updated_at) VALUES (p_guess, 1, v_now) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            wait_seconds := throttle_v1(p_network, p_guesses, p_guess_leak_seconds);
        END IF;
        RETURN;
    END IF;
    -- What was a key once is no guess either.
    IF v_ended <= v_now OR v_status <> 'ACTIVE' THEN
        key_id := NULL;
        user_id := NULL;
        RETURN;
    END IF;
    v_key := sha256(convert_to('api key ' || key_id, 'UTF8'));
    v_account := sha256(convert_to('api account ' || user_id, 'UTF8'));
    INSERT INTO throttles (key, level, updated_at) VALUES (v_key, 0, v_now), (v_account, 0, v_now) ON CONFLICT DO NOTHING;
    v_level := api_level(v_key, p_leak_seconds);
    v_account_level := api_level(v_account, p_leak_seconds * p_size / p_account_size);
    wait_seconds := greatest(
        0, (v_level + 1 - p_size) * p_leak_seconds,
        (v_account_level + 1 - p_account_size) * p_leak_seconds * p_size / p_account_size
    );
    remaining := greatest(0, least(p_size - v_level, p_account_size - v_account_level));
    IF wait_seconds > 0 THEN
        RETURN;
    END IF;
    v_now := clock_timestamp();
    UPDATE throttles t SET level = v_level + 1, updated_at = v_now WHERE t.key = v_key;
    UPDATE throttles t SET level = v_account_level + 1, updated_at = v_now WHERE t.key = v_account;
    remaining := greatest(0, remaining - 1);
    -- To the minute: that a key is in use is worth no write with each request.
    IF v_used IS NULL OR v_used < v_now - interval '1 minute' THEN
        UPDATE api_keys k SET last_used_at = v_now WHERE k.id = key_id;
    END IF;
END
$$;

-- How full a bucket is now; it stays locked until the transaction ends.
CREATE FUNCTION api_level(p_key bytea, p_leak_seconds double precision) RETURNS double precision
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_level double precision;
    v_at timestamptz;
BEGIN
    SELECT t.level, t.updated_at INTO v_level, v_at FROM throttles t WHERE t.key = p_key FOR UPDATE;
    RETURN greatest(0, coalesce(v_level, 0) - greatest(0, extract(epoch FROM clock_timestamp() - v_at)) / p_leak_seconds);
END
$$;
