-- The inbox's door: an event is stored once, and somebody is asked to handle it, in one statement and one commit.
-- A carrier waits for this answer, so it asks for a job only when none waits already: each new job is announced to all
-- workers, and of those who announce something only one commits at a time.
CREATE FUNCTION accept_event_v1(
    p_id uuid, p_provider text, p_account text, p_event_id text, p_kind text, p_body bytea, p_headers jsonb, p_job text,
    OUT stored boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO provider_events (id, provider, account, event_id, kind, body, headers)
    VALUES (p_id, p_provider, p_account, p_event_id, p_kind, p_body, p_headers)
    ON CONFLICT (provider, account, event_id) DO NOTHING;
    stored := FOUND;
    -- (A job that waits now may be begun before this is committed, and miss the event: then the next round finds it.)
    IF stored AND NOT EXISTS (SELECT FROM procrastinate_jobs j WHERE j.queueing_lock = p_job AND j.status = 'todo') THEN
        -- As `Jobs.enqueue_once` does.
        INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock) VALUES ('default', p_job, p_job)
        ON CONFLICT DO NOTHING;
    END IF;
END
$$;
