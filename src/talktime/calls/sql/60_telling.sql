-- What a customer is told by mail of a call, once it is over: that a message was taken, that nobody was talked to, or,
-- who wants it, how each call went. Written in the transaction that ends the call, whoever ends it; ids only, the words
-- are put together when the mail is sent. The rule: this runs while a caller waits, so it looks up one row and adds one.
CREATE FUNCTION calls_tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
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
$$;

CREATE TRIGGER calls_tell AFTER UPDATE OF status, ended_at, outcome ON calls
    FOR EACH ROW WHEN (
        NEW.ended_at IS NOT NULL AND NEW.direction = 'INBOUND' AND NEW.forgotten_at IS NULL
        AND (OLD.ended_at IS NULL OR NEW.outcome IS DISTINCT FROM OLD.outcome)
    ) EXECUTE FUNCTION calls_tell();
