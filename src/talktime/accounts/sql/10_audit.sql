-- Who did what to whom: append-only, one chain of hashes for each person, whose end is kept beside it.

CREATE FUNCTION audit_entries_stay() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'what was done stays written down' USING ERRCODE = 'TT403';
END
$$;
CREATE TRIGGER audit_entries_stay BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION audit_entries_stay();
CREATE TRIGGER audit_entries_no_truncate BEFORE TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_stay();
CREATE TRIGGER audit_heads_stay BEFORE DELETE ON audit_heads
    FOR EACH ROW EXECUTE FUNCTION audit_entries_stay();
CREATE TRIGGER audit_heads_no_truncate BEFORE TRUNCATE ON audit_heads
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_stay();

-- The hash of an entry: the version, every column and the hash before, as PostgreSQL sends a row; words as bytes, or the
-- client's encoding would be in it.
CREATE FUNCTION audit_hash(
    p_previous bytea, p_user uuid, p_seq bigint, p_at timestamptz, p_actor uuid, p_act text, p_before jsonb, p_after jsonb,
    p_door text, p_network text
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(record_send(ROW(
    1, p_user, p_seq, p_at, p_actor, convert_to(p_act, 'UTF8'), convert_to(p_before::text, 'UTF8'),
    convert_to(p_after::text, 'UTF8'), convert_to(p_door, 'UTF8'), convert_to(p_network, 'UTF8'), p_previous
)));

-- Whom an entry may name as who did it: in a customer's own transaction themselves, nobody, or an operator who is signed
-- in as them at this moment. Who sees everyone's is believed: commands and steps of ours have no session.
CREATE FUNCTION assert_actor(p_user uuid, p_actor uuid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF current_setting('role') = 'talktime_everyone' OR p_actor IS NULL OR p_actor = p_user THEN
        RETURN;
    END IF;
    PERFORM FROM sessions s JOIN users a ON a.id = s.actor_id
    WHERE s.user_id = p_user AND s.actor_id = p_actor AND s.expires_at > now() AND a.role = 'ADMIN' AND a.status = 'ACTIVE';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'user % does nothing in this transaction', p_actor USING ERRCODE = 'TT403';
    END IF;
END
$$;

-- Write the next entry about somebody. The head's row is the lock: two who write at once come one after the other.
CREATE FUNCTION audit_v1(
    p_user uuid, p_actor uuid, p_act text, p_before jsonb, p_after jsonb, p_door text, p_network text
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_previous bytea;
    v_hash bytea;
    v_seq bigint;
    v_at timestamptz;
BEGIN
    PERFORM assert_tenant(p_user);
    PERFORM assert_actor(p_user, p_actor);
    INSERT INTO audit_heads (user_id, seq, hash) VALUES (p_user, 0, sha256(convert_to(p_user::text, 'UTF8')))
    ON CONFLICT DO NOTHING;
    SELECT h.seq + 1, h.hash INTO STRICT v_seq, v_previous FROM audit_heads h WHERE h.user_id = p_user FOR UPDATE;
    v_at := clock_timestamp();
    v_hash := audit_hash(v_previous, p_user, v_seq, v_at, p_actor, p_act, p_before, p_after, p_door, p_network);
    INSERT INTO audit_entries (user_id, seq, at, actor_id, act, before, after, door, network, hash)
    VALUES (p_user, v_seq, v_at, p_actor, p_act, p_before, p_after, p_door, p_network, v_hash);
    UPDATE audit_heads h SET seq = v_seq, hash = v_hash WHERE h.user_id = p_user;
    RETURN v_seq;
END
$$;

-- What is wrong with the entries of the people from one to another, by id: a broken chain where an entry was changed,
-- moved or taken out, and a chain that is shorter or longer than its head says. Read along the key, once.
CREATE FUNCTION verify_audit_range_v1(p_first uuid, p_last uuid) RETURNS TABLE (user_id uuid, seq bigint, problem text)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT e.user_id, e.seq, CASE WHEN e.seq <> e.expected THEN 'missing' ELSE 'changed' END
    FROM (
        SELECT e.*, coalesce(lag(e.seq) OVER w, 0) + 1 AS expected,
            lag(e.hash, 1, sha256(convert_to(e.user_id::text, 'UTF8'))) OVER w AS previous
        FROM audit_entries e WHERE e.user_id BETWEEN p_first AND p_last
        WINDOW w AS (PARTITION BY e.user_id ORDER BY e.seq)
    ) e
    WHERE e.seq <> e.expected OR e.hash <> audit_hash(
        e.previous, e.user_id, e.seq, e.at, e.actor_id, e.act, e.before, e.after, e.door, e.network
    )
    UNION ALL
    SELECT h.user_id, h.seq, 'cut short' FROM audit_heads h
    WHERE h.user_id BETWEEN p_first AND p_last AND NOT EXISTS (
        SELECT FROM audit_entries e WHERE e.user_id = h.user_id AND e.seq = h.seq AND e.hash = h.hash
    )
    UNION ALL
    SELECT e.user_id, e.seq, 'beyond the end'
    FROM audit_entries e LEFT JOIN audit_heads h ON h.user_id = e.user_id
    WHERE e.user_id BETWEEN p_first AND p_last AND (h.seq IS NULL OR e.seq > h.seq)
$$;

-- The same of one person, or of all.
CREATE FUNCTION verify_audit_v1(p_user uuid DEFAULT NULL) RETURNS TABLE (user_id uuid, seq bigint, problem text)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT * FROM verify_audit_range_v1(
        coalesce(p_user, '00000000-0000-0000-0000-000000000000'), coalesce(p_user, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    )
$$;
