-- Who called, and what was said, goes out of what was told to customers' programs as well, and out of what these answered.
-- An event whose body was emptied and that is sent once more is put together again, from what is left of its call.

-- Of these calls of somebody. The calls are locked by whoever asks, and `forgotten_at` is set.
CREATE FUNCTION forget_webhooks(p_user uuid, p_calls uuid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE webhook_attempts a SET answer = NULL
    FROM webhook_deliveries d JOIN webhook_events v ON v.user_id = d.user_id AND v.id = d.event_id
    WHERE v.user_id = p_user AND v.call_id = ANY (p_calls)
        AND a.user_id = d.user_id AND a.delivery_id = d.id AND a.answer IS NOT NULL;
    UPDATE webhook_events v SET body = NULL
    WHERE v.user_id = p_user AND v.call_id = ANY (p_calls) AND v.body IS NOT NULL;
END
$$;

-- Put a word in the place of whatever matches, in every other event of somebody: see redact_calls_v1. From one event's id
-- on, page by page; gives the last one looked at, NULL at the end, and how much was changed.
CREATE FUNCTION redact_webhooks_v1(
    p_user uuid, p_after uuid, p_most integer, p_pattern text, p_word text, OUT last uuid, OUT changed bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_events uuid[];
    v_more bigint;
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT array_agg(v.id ORDER BY v.id) INTO v_events FROM (
        SELECT v.id FROM webhook_events v WHERE v.user_id = p_user AND v.id > p_after ORDER BY v.id LIMIT p_most
    ) v;
    last := v_events[cardinality(v_events)];
    UPDATE webhook_events v SET
        data = redacted(v.data, p_pattern, p_word), body = redacted(v.body::jsonb, p_pattern, p_word)::text
    WHERE v.user_id = p_user AND v.id = ANY (v_events) AND (v.data::text ~ p_pattern OR v.body ~ p_pattern);
    GET DIAGNOSTICS changed = ROW_COUNT;
    UPDATE webhook_attempts a SET
        answer = regexp_replace(a.answer, p_pattern, p_word, 'g'),
        error = left(regexp_replace(a.error, p_pattern, p_word, 'g'), 500)
    FROM webhook_deliveries d
    WHERE d.user_id = p_user AND d.event_id = ANY (v_events) AND a.user_id = d.user_id AND a.delivery_id = d.id
        AND (a.answer ~ p_pattern OR a.error ~ p_pattern);
    GET DIAGNOSTICS v_more = ROW_COUNT;
    changed := changed + v_more;
END
$$;

-- An account is closed: of what it was told, and what came back, nothing is left but that it was.
CREATE FUNCTION empty_webhooks_v1(p_user uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM assert_tenant(p_user);
    UPDATE webhook_attempts a SET answer = NULL, error = NULL
    WHERE a.user_id = p_user AND (a.answer IS NOT NULL OR a.error IS NOT NULL);
    UPDATE webhook_events v SET body = NULL WHERE v.user_id = p_user AND v.body IS NOT NULL;
END
$$;
