-- What happens is written down for whoever wants to hear of it, in the transaction in which it happens. Rows are only
-- added: nothing here waits for anybody, and somebody without endpoints costs one look into an index.

-- Write an event, and a delivery for each endpoint that wants it; NULL, and nothing written, when none does. An endpoint
-- that is switched off gets a delivery that is not sent, so that it can be sent later.
CREATE FUNCTION webhook_event(p_user uuid, p_type text, p_data jsonb) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_event uuid;
    v_now timestamptz;
BEGIN
    IF NOT EXISTS (
        SELECT FROM webhook_endpoints e
        WHERE e.user_id = p_user AND e.deleted_at IS NULL
            AND e.events && ARRAY['*', p_type, split_part(p_type, '.', 1) || '.*']
    ) THEN
        RETURN NULL;
    END IF;
    v_event := gen_random_uuid();
    v_now := clock_timestamp();
    INSERT INTO webhook_events (user_id, id, type, data, call_id, created_at)
    VALUES (p_user, v_event, p_type, p_data, (p_data ->> 'call_id')::uuid, v_now);
    INSERT INTO webhook_deliveries (user_id, id, endpoint_id, event_id, state, due_at, ended_at, created_at)
    SELECT p_user, gen_random_uuid(), e.id, v_event,
        CASE WHEN e.disabled_at IS NULL THEN 'PENDING' ELSE 'SKIPPED' END::webhook_delivery_state,
        CASE WHEN e.disabled_at IS NULL THEN v_now END, CASE WHEN e.disabled_at IS NOT NULL THEN v_now END, v_now
    FROM webhook_endpoints e
    WHERE e.user_id = p_user AND e.deleted_at IS NULL
        AND e.events && ARRAY['*', p_type, split_part(p_type, '.', 1) || '.*'];
    RETURN v_event;
END
$$;

-- The same as a door.
CREATE FUNCTION webhook_event_v1(p_user uuid, p_type text, p_data jsonb) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM assert_tenant(p_user);
    RETURN webhook_event(p_user, p_type, p_data);
END
$$;

-- What the books tell a customer of, their programs are told of, too: once, because a notice is written once.
CREATE FUNCTION notices_to_webhooks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM webhook_event(NEW.user_id, CASE NEW.kind
        WHEN 'low_balance' THEN 'credits.low'
        WHEN 'credit_exhausted' THEN 'credits.exhausted'
        WHEN 'refunded' THEN 'credits.refunded'
        ELSE 'credits.purchased'
    END, NEW.detail);
    RETURN NULL;
END
$$;

CREATE TRIGGER notices_to_webhooks AFTER INSERT ON notices FOR EACH ROW
    WHEN (NEW.kind IN ('low_balance', 'credit_exhausted', 'purchase_paid', 'top_up_done', 'refunded'))
    EXECUTE FUNCTION notices_to_webhooks();

-- A call begins, is answered, ends: whichever process moves it. A leg to a person is a part of its call, and is not told
-- of by itself. (Only the functions of calls write these columns: it runs with their rights and their search path, because
-- changing either costs as much as all else that it does for a customer without endpoints.)
CREATE FUNCTION calls_to_webhooks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- This runs while a caller waits: most customers have no endpoint, and then this look is all.
    IF EXISTS (SELECT FROM webhook_endpoints e WHERE e.user_id = NEW.user_id AND e.deleted_at IS NULL) THEN
        PERFORM webhook_event(NEW.user_id, CASE NEW.status
            WHEN 'RINGING' THEN 'call.started' WHEN 'IN_PROGRESS' THEN 'call.answered' ELSE 'call.ended'
        END, jsonb_build_object('call_id', NEW.id, 'status', NEW.status, 'agent_id', NEW.agent_id));
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER calls_begin_to_webhooks AFTER INSERT ON calls FOR EACH ROW
    WHEN (NEW.parent_id IS NULL) EXECUTE FUNCTION calls_to_webhooks();
CREATE TRIGGER calls_move_to_webhooks AFTER UPDATE OF status ON calls FOR EACH ROW
    WHEN (NEW.parent_id IS NULL AND NEW.status <> OLD.status) EXECUTE FUNCTION calls_to_webhooks();
