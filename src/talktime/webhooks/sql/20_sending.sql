-- Who sends what, and what became of it. The order of locks is: the call, the endpoint, the delivery, the attempt.

-- Take what is due, at most one delivery of each endpoint, and keep the endpoint for so many seconds: until then nobody
-- else sends to it. Untried ones go in the order of the facts, tries again when they are due, so neither holds up the
-- other for long. Of endpoints where something failed since it last worked, at most `p_ailing_most`.
CREATE FUNCTION claim_webhooks_v1(p_most integer, p_ailing_most integer, p_seconds integer)
RETURNS TABLE (
    user_id uuid, endpoint_id uuid, delivery_id uuid, event_id uuid, call_id uuid, attempt_no integer, tries integer,
    sequence bigint, type text, created_at timestamptz, url text, secret bytea, old_secret bytea, ailing boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_candidate record;
    e webhook_endpoints;
    d webhook_deliveries;
    v webhook_events;
BEGIN
    PERFORM assert_tenant(NULL);
    FOR v_candidate IN
        -- From one endpoint with something waiting to the next, whatever the number of deliveries between them.
        WITH RECURSIVE waiting AS (
            (
                SELECT x.user_id, x.endpoint_id FROM webhook_deliveries x
                WHERE x.due_at IS NOT NULL ORDER BY x.user_id, x.endpoint_id LIMIT 1
            )
            UNION ALL
            SELECT n.user_id, n.endpoint_id FROM waiting w CROSS JOIN LATERAL (
                SELECT x.user_id, x.endpoint_id FROM webhook_deliveries x
                WHERE x.due_at IS NOT NULL AND (x.user_id, x.endpoint_id) > (w.user_id, w.endpoint_id)
                ORDER BY x.user_id, x.endpoint_id LIMIT 1
            ) n
        ), free AS (
            SELECT x.user_id, x.id, x.free_at, x.failures > 0 AS ailing,
                row_number() OVER (PARTITION BY x.failures > 0 ORDER BY x.free_at) AS place
            FROM waiting w
            JOIN webhook_endpoints x ON x.user_id = w.user_id AND x.id = w.endpoint_id
            JOIN users u ON u.id = x.user_id AND u.status = 'ACTIVE'
            WHERE x.free_at <= clock_timestamp() AND x.disabled_at IS NULL AND x.deleted_at IS NULL AND EXISTS (
                SELECT FROM webhook_deliveries y
                WHERE y.user_id = x.user_id AND y.endpoint_id = x.id AND y.due_at <= clock_timestamp()
            )
        )
        SELECT f.user_id, f.id, f.ailing FROM free f WHERE NOT f.ailing OR f.place <= p_ailing_most
        ORDER BY f.ailing, f.free_at LIMIT p_most
    LOOP
        -- What another worker is just taking is left to it.
        SELECT x.* INTO e FROM webhook_endpoints x
        WHERE x.user_id = v_candidate.user_id AND x.id = v_candidate.id AND x.free_at <= clock_timestamp()
            AND x.disabled_at IS NULL AND x.deleted_at IS NULL
        FOR NO KEY UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        SELECT x.* INTO d FROM webhook_deliveries x
        WHERE x.user_id = e.user_id AND x.endpoint_id = e.id AND x.due_at <= clock_timestamp()
        ORDER BY x.due_at, x.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        UPDATE webhook_endpoints x SET
            free_at = clock_timestamp() + p_seconds * interval '1 second',
            last_sequence = x.last_sequence + CASE WHEN d.sequence IS NULL THEN 1 ELSE 0 END
        WHERE x.user_id = e.user_id AND x.id = e.id RETURNING x.* INTO e;
        UPDATE webhook_deliveries x SET
            sequence = coalesce(x.sequence, e.last_sequence), tries = x.tries + 1, attempts = x.attempts + 1
        WHERE x.user_id = d.user_id AND x.id = d.id RETURNING x.* INTO d;
        INSERT INTO webhook_attempts (user_id, delivery_id, attempt_no, began_at)
        VALUES (d.user_id, d.id, d.attempts, clock_timestamp());
        SELECT x.* INTO v FROM webhook_events x WHERE x.user_id = d.user_id AND x.id = d.event_id;
        user_id := e.user_id;
        endpoint_id := e.id;
        delivery_id := d.id;
        event_id := v.id;
        call_id := v.call_id;
        attempt_no := d.attempts;
        tries := d.tries;
        sequence := d.sequence;
        type := v.type;
        created_at := v.created_at;
        url := e.url;
        secret := e.secret;
        old_secret := CASE WHEN e.old_secret_until > clock_timestamp() THEN e.old_secret END;
        ailing := e.failures > 0;
        RETURN NEXT;
    END LOOP;
END
$$;
