ALTER TYPE phone_status ADD VALUE IF NOT EXISTS 'RETURNED' AFTER 'RELEASED';
-- Committed here: a new value of an enum may be used only after that.
SET check_function_bodies = off;

REVOKE EXECUTE ON FUNCTION set_limits_v1(p_user uuid, p_grace_limit bigint, p_max_open_calls integer, OUT grace_limit bigint, OUT max_open_calls integer, OUT clawback_debt bigint) FROM talktime;
REVOKE EXECUTE ON FUNCTION reverse_v1(p_user uuid, p_purchase uuid, p_type transaction_type, p_reference text, p_credits bigint, OUT fresh boolean, OUT taken bigint, OUT lost bigint, OUT balance bigint) FROM talktime;
REVOKE EXECUTE ON FUNCTION purchase_v1(p_user uuid, p_purchase uuid, OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint) FROM talktime;
REVOKE EXECUTE ON FUNCTION post_many_v1(p_users uuid[], p_references text[], p_amounts bigint[], p_reasons text[], p_actor uuid, p_as_debt boolean) FROM talktime;
REVOKE EXECUTE ON FUNCTION block_v1(p_user uuid, p_reason text) FROM talktime;
REVOKE EXECUTE ON FUNCTION adjust_v1(p_user uuid, p_reference text, p_amount bigint, p_reason text, p_actor uuid, p_as_debt boolean, OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint) FROM talktime;
DROP TRIGGER calls_cost_carrier ON calls;
ALTER TABLE alerts DROP CONSTRAINT ck_alerts_acknowledged_by;
CREATE TYPE carrier_phase AS ENUM ('AGREED', 'WANTED', 'REFUSED', 'GONE');
CREATE TYPE number_kind AS ENUM ('LOCAL', 'MOBILE', 'NATIONAL', 'TOLL_FREE');
CREATE TYPE order_state AS ENUM ('ORDERED', 'BOUGHT', 'FAILED');
CREATE TYPE webhook_delivery_state AS ENUM ('PENDING', 'DELIVERED', 'FAILED', 'SKIPPED');
CREATE TYPE webhook_disabled_reason AS ENUM ('OWNER', 'GONE', 'FAILING');

CREATE TABLE agent_drafts (
    user_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    revision integer DEFAULT 0 NOT NULL,
    content jsonb,
    based_on integer,
    opened_revision integer DEFAULT 0 NOT NULL,
    touched jsonb DEFAULT '{}'::jsonb NOT NULL,
    saved_by uuid,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE agent_drafts ENABLE ROW LEVEL SECURITY;

CREATE TABLE idempotency_keys (
    user_id uuid NOT NULL,
    key text NOT NULL,
    digest bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    claimed_at timestamp with time zone DEFAULT now() NOT NULL,
    status smallint,
    answer bytea
);
ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;

CREATE TABLE mail_choices (
    user_id uuid NOT NULL,
    digest boolean NOT NULL,
    messages boolean NOT NULL,
    missed_calls boolean NOT NULL,
    summaries boolean NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE mail_choices ENABLE ROW LEVEL SECURITY;

CREATE TABLE marks (
    name text NOT NULL,
    at timestamp with time zone NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL
);

CREATE TABLE number_orders (
    id uuid NOT NULL,
    number text NOT NULL,
    carrier text NOT NULL,
    country text NOT NULL,
    kind number_kind NOT NULL,
    amount_micros bigint NOT NULL,
    currency text NOT NULL,
    state order_state NOT NULL,
    ordered_by uuid NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    try_at timestamp with time zone DEFAULT now() NOT NULL,
    number_id uuid,
    error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone
);

CREATE TABLE number_proofs (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    number text NOT NULL,
    code_hash bytea,
    tries integer DEFAULT 0 NOT NULL,
    carrier text NOT NULL,
    carrier_call_id text,
    error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    proven_at timestamp with time zone,
    ended_at timestamp with time zone
);

CREATE TABLE webhook_attempts (
    user_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    attempt_no integer NOT NULL,
    began_at timestamp with time zone DEFAULT now() NOT NULL,
    milliseconds integer,
    status integer,
    answer text,
    error text
);
ALTER TABLE webhook_attempts ENABLE ROW LEVEL SECURITY;

CREATE TABLE webhook_deliveries (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    event_id uuid NOT NULL,
    state webhook_delivery_state DEFAULT 'PENDING'::webhook_delivery_state NOT NULL,
    sequence bigint,
    tries integer DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone,
    ended_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE webhook_deliveries ENABLE ROW LEVEL SECURITY;

CREATE TABLE webhook_endpoints (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    url text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    events text[] NOT NULL,
    secret bytea NOT NULL,
    old_secret bytea,
    old_secret_until timestamp with time zone,
    revision integer DEFAULT 1 NOT NULL,
    disabled_at timestamp with time zone,
    disabled_reason webhook_disabled_reason,
    deleted_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    free_at timestamp with time zone DEFAULT now() NOT NULL,
    last_sequence bigint DEFAULT 0 NOT NULL,
    delivered_at timestamp with time zone,
    failing_since timestamp with time zone,
    failures integer DEFAULT 0 NOT NULL
);
ALTER TABLE webhook_endpoints ENABLE ROW LEVEL SECURITY;

CREATE TABLE webhook_events (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL,
    data jsonb NOT NULL,
    call_id uuid,
    body text,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE webhook_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE agent_versions ADD COLUMN business text;
ALTER TABLE agent_versions ADD COLUMN language text;
ALTER TABLE agent_versions ADD COLUMN zone text;
ALTER TABLE agent_versions ADD COLUMN facts text DEFAULT ''::text NOT NULL;
ALTER TABLE agent_versions ADD COLUMN tone text DEFAULT ''::text NOT NULL;
ALTER TABLE agent_versions ADD COLUMN avoid text DEFAULT ''::text NOT NULL;
ALTER TABLE agent_versions ADD COLUMN withheld jsonb DEFAULT '[]'::jsonb NOT NULL;
ALTER TABLE agent_versions ADD COLUMN people jsonb DEFAULT '[]'::jsonb NOT NULL;
ALTER TABLE agent_versions ADD COLUMN copied_from integer;
ALTER TABLE api_keys ADD COLUMN expires_at timestamp with time zone;
ALTER TABLE calls ADD COLUMN resumes_id uuid;
ALTER TABLE phone_numbers ADD COLUMN carrier_wanted jsonb DEFAULT '{}'::jsonb NOT NULL;
ALTER TABLE phone_numbers ADD COLUMN carrier_phase carrier_phase DEFAULT 'AGREED'::carrier_phase NOT NULL;
ALTER TABLE phone_numbers ADD COLUMN carrier_tries integer DEFAULT 0 NOT NULL;
ALTER TABLE phone_numbers ADD COLUMN carrier_try_at timestamp with time zone DEFAULT now() NOT NULL;
ALTER TABLE phone_numbers ADD COLUMN carrier_error text;
ALTER TABLE phone_numbers ADD COLUMN owner_id uuid;
ALTER TABLE phone_numbers ADD COLUMN assigned_at timestamp with time zone;
ALTER TABLE phone_numbers ADD COLUMN rent_credits bigint DEFAULT 0 NOT NULL;
ALTER TABLE phone_numbers ADD COLUMN rent_due_on date;
ALTER TABLE phone_numbers ADD COLUMN rent_unpaid_since date;

CREATE OR REPLACE FUNCTION public.accept_event_v1(p_id uuid, p_provider text, p_account text, p_event_id text, p_kind text, p_body bytea, p_headers jsonb, p_job text, OUT stored boolean)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

REVOKE ALL ON FUNCTION accept_event_v1(p_id uuid, p_provider text, p_account text, p_event_id text, p_kind text, p_body bytea, p_headers jsonb, p_job text, OUT stored boolean) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.api_level(p_key bytea, p_leak_seconds double precision)
 RETURNS double precision
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_level double precision;
    v_at timestamptz;
BEGIN
    SELECT t.level, t.updated_at INTO v_level, v_at FROM throttles t WHERE t.key = p_key FOR UPDATE;
    RETURN greatest(0, coalesce(v_level, 0) - greatest(0, extract(epoch FROM clock_timestamp() - v_at)) / p_leak_seconds);
END
$function$;

REVOKE ALL ON FUNCTION api_level(p_key bytea, p_leak_seconds double precision) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.assert_actor(p_user uuid, p_actor uuid)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

REVOKE ALL ON FUNCTION assert_actor(p_user uuid, p_actor uuid) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.audit_v1(p_user uuid, p_actor uuid, p_act text, p_before jsonb, p_after jsonb, p_door text, p_network text)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

CREATE OR REPLACE FUNCTION public.begin_leg_v1(p_user uuid, p_parent uuid, p_leg uuid, p_dialled text, p_is_ordinary boolean DEFAULT true, OUT fresh boolean, OUT allowed boolean, OUT reason text, OUT granted_seconds integer, OUT carrier text, OUT parent_name text, OUT agent_seconds integer, OUT seconds_max integer)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    c calls;
    l calls;
    a credit_accounts;
    v_now timestamptz := clock_timestamp();
    v_price uuid;
    v_is_rung boolean;
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT * INTO c FROM calls x WHERE x.user_id = p_user AND x.id = p_parent FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no call %', p_parent USING ERRCODE = 'TT404';
    END IF;
    carrier := c.carrier;
    parent_name := c.carrier_call_id;
    granted_seconds := 0;
    SELECT * INTO l FROM calls x WHERE x.user_id = p_user AND x.id = p_leg;
    fresh := NOT FOUND;
    IF NOT fresh THEN
        IF l.parent_id IS DISTINCT FROM p_parent OR l.dialled IS DISTINCT FROM p_dialled THEN
            RAISE EXCEPTION 'leg % was begun for something else', p_leg USING ERRCODE = 'TT409';
        END IF;
        agent_seconds := greatest(0, ceil(extract(epoch FROM l.started_at - c.answered_at)));
        -- Without a name nobody knows yet whether the carrier rings that person.
        allowed := l.carrier_call_id <> '';
        reason := CASE WHEN NOT allowed THEN coalesce(l.end_reason, 'carrier_silent') END;
        SELECT h.granted_seconds INTO granted_seconds FROM credit_holds h WHERE h.user_id = p_user AND h.call_id = p_leg;
        RETURN;
    END IF;
    v_is_rung := c.status = 'COMPLETED' AND c.answered_at IS NULL AND c.route <> 'talk'
        AND c.ended_at > v_now - interval '30 seconds';
    reason := CASE
        WHEN c.parent_id IS NOT NULL OR NOT (c.status = 'IN_PROGRESS' OR v_is_rung) THEN 'over'
        WHEN EXISTS (
            SELECT FROM calls x WHERE x.user_id = p_user AND x.parent_id = p_parent AND x.ended_at IS NULL
        ) THEN 'transferring'
        WHEN EXISTS (SELECT FROM phone_numbers n WHERE n.number = p_dialled) THEN 'own_number'
        WHEN NOT p_is_ordinary THEN 'not_ordinary'
    END;
    allowed := reason IS NULL;
    IF NOT allowed THEN
        RETURN;
    END IF;
    agent_seconds := greatest(0, ceil(extract(epoch FROM v_now - c.answered_at)));
    SELECT v.call_seconds_max INTO seconds_max FROM agent_versions v
    WHERE v.user_id = p_user AND v.agent_id = c.agent_id AND v.version_no = c.agent_version;
    INSERT INTO calls (
        user_id, id, parent_id, agent_id, agent_version, number_id, direction, carrier, carrier_call_id,
        caller, dialled, status, route, started_at
    ) VALUES (
        p_user, p_leg, p_parent, c.agent_id, c.agent_version, c.number_id, 'OUTBOUND', c.carrier, '',
        c.caller, p_dialled, 'RINGING', 'transfer', v_now
    );
    -- No id is all zeros, so where no price is set the leg is refused for that, and never takes the price of calls.
    v_price := coalesce((credit_price(p_user, v_now, 'TRANSFER')).id, '00000000-0000-0000-0000-000000000000');
    IF v_is_rung AND c.route = 'too_many_calls' THEN
        a := credit_lock(p_user);
        UPDATE credit_accounts x SET max_open_calls = 2 * x.max_open_calls WHERE x.user_id = p_user;
    END IF;
    SELECT z.allowed, z.reason, z.granted_seconds INTO allowed, reason, granted_seconds
    FROM authorise_v1(p_user, p_leg, v_price) z;
    IF v_is_rung AND c.route = 'too_many_calls' THEN
        UPDATE credit_accounts x SET max_open_calls = a.max_open_calls WHERE x.user_id = p_user;
    END IF;
    IF NOT allowed THEN
        v_now := clock_timestamp();
        UPDATE calls x SET status = 'FAILED', end_reason = begin_leg_v1.reason, ended_at = v_now, seconds = 0
        WHERE x.user_id = p_user AND x.id = p_leg;
    END IF;
END
$function$;

CREATE OR REPLACE FUNCTION public.calls_after(p_user uuid, p_call uuid)
 RETURNS TABLE(id uuid)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
    WITH RECURSIVE later AS (
        SELECT r.id FROM calls l JOIN calls r ON r.user_id = l.user_id AND r.resumes_id = l.id
        WHERE l.user_id = p_user AND l.parent_id = p_call
        UNION ALL
        SELECT r.id FROM later b
        JOIN calls l ON l.user_id = p_user AND l.parent_id = b.id
        JOIN calls r ON r.user_id = l.user_id AND r.resumes_id = l.id
    )
    SELECT later.id FROM later
$function$;

REVOKE ALL ON FUNCTION calls_after(p_user uuid, p_call uuid) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.calls_tell()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_wanted mail_choices;
    v_kind text;
    v_wait interval := '0';
BEGIN
    -- Whoever never chose has no row, and gets what `notices/choices.py` says by default.
    SELECT * INTO v_wanted FROM mail_choices m WHERE m.user_id = NEW.user_id;
    IF NEW.outcome = 'message' THEN
        v_kind := CASE WHEN coalesce(v_wanted.messages, true) THEN 'message_taken' END;
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
$function$;

REVOKE ALL ON FUNCTION calls_tell() FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.calls_to_webhooks()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    -- This runs while a caller waits: most customers have no endpoint, and then this look is all.
    IF EXISTS (SELECT FROM webhook_endpoints e WHERE e.user_id = NEW.user_id AND e.deleted_at IS NULL) THEN
        PERFORM webhook_event(NEW.user_id, CASE NEW.status
            WHEN 'RINGING' THEN 'call.started' WHEN 'IN_PROGRESS' THEN 'call.answered' ELSE 'call.ended'
        END, jsonb_build_object('call_id', NEW.id, 'status', NEW.status, 'agent_id', NEW.agent_id));
    END IF;
    RETURN NULL;
END
$function$;

REVOKE ALL ON FUNCTION calls_to_webhooks() FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.claim_webhooks_v1(p_most integer, p_ailing_most integer, p_seconds integer)
 RETURNS TABLE(user_id uuid, endpoint_id uuid, delivery_id uuid, event_id uuid, call_id uuid, attempt_no integer, tries integer, sequence bigint, type text, created_at timestamp with time zone, url text, secret bytea, old_secret bytea, ailing boolean)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

REVOKE ALL ON FUNCTION claim_webhooks_v1(p_most integer, p_ailing_most integer, p_seconds integer) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.empty_agents_v1(p_user uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    PERFORM assert_tenant(p_user);
    UPDATE agents a SET
        name = 'Agent', business = '', active = false, archived_at = coalesce(a.archived_at, clock_timestamp()),
        updated_at = clock_timestamp()
    WHERE a.user_id = p_user;
    UPDATE agent_versions v SET
        business = '', greeting = '-', instructions = '', facts = '', tone = '', avoid = '',
        knowledge = '[]', phrases = '[]', tools = '[]', people = '[]', fallback = '{}'
    WHERE v.user_id = p_user;
    UPDATE agent_drafts d SET
        content = NULL, based_on = NULL, touched = '{}', saved_by = NULL,
        revision = d.revision + 1, opened_revision = d.revision + 1, updated_at = clock_timestamp()
    WHERE d.user_id = p_user AND d.content IS NOT NULL;
END
$function$;

CREATE OR REPLACE FUNCTION public.empty_webhooks_v1(p_user uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    PERFORM assert_tenant(p_user);
    UPDATE webhook_attempts a SET answer = NULL, error = NULL
    WHERE a.user_id = p_user AND (a.answer IS NOT NULL OR a.error IS NOT NULL);
    UPDATE webhook_events v SET body = NULL WHERE v.user_id = p_user AND v.body IS NOT NULL;
END
$function$;

REVOKE ALL ON FUNCTION empty_webhooks_v1(p_user uuid) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.enter_api_v1(p_key_hash bytea, p_network bytea, p_guess bytea, p_guesses double precision, p_guess_leak_seconds double precision, p_size double precision, p_account_size double precision, p_leak_seconds double precision, OUT key_id uuid, OUT user_id uuid, OUT scopes text[], OUT role text, OUT zone text, OUT locale text, OUT wait_seconds double precision, OUT remaining double precision)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

REVOKE ALL ON FUNCTION enter_api_v1(p_key_hash bytea, p_network bytea, p_guess bytea, p_guesses double precision, p_guess_leak_seconds double precision, p_size double precision, p_account_size double precision, p_leak_seconds double precision, OUT key_id uuid, OUT user_id uuid, OUT scopes text[], OUT role text, OUT zone text, OUT locale text, OUT wait_seconds double precision, OUT remaining double precision) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.forget_calls_v1(p_user uuid, p_calls uuid[], p_number text DEFAULT NULL::text)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_calls uuid[];
    v_fresh bigint;
BEGIN
    PERFORM assert_tenant(p_user);
    -- FOR UPDATE waits for whoever is writing a turn, or a report, and has found the call not forgotten.
    PERFORM FROM calls c WHERE c.user_id = p_user AND c.id = ANY (p_calls) ORDER BY c.id FOR UPDATE;
    -- A leg that was begun meanwhile is there now, and none can begin.
    SELECT array_agg(c.id) INTO v_calls FROM (
        SELECT c.id FROM calls c
        WHERE c.user_id = p_user AND (c.id = ANY (p_calls) OR c.parent_id = ANY (p_calls)) ORDER BY c.id FOR UPDATE
    ) c;
    SELECT count(*) INTO v_fresh FROM calls c
    WHERE c.user_id = p_user AND c.id = ANY (v_calls) AND c.forgotten_at IS NULL;
    DELETE FROM call_turns t WHERE t.user_id = p_user AND t.call_id = ANY (v_calls);
    UPDATE calls c SET
        caller = NULL, summary = NULL, forgotten_at = coalesce(c.forgotten_at, clock_timestamp()),
        dialled = CASE WHEN c.parent_id IS NULL OR c.dialled <> coalesce(p_number, c.dialled) THEN c.dialled END
    WHERE c.user_id = p_user AND c.id = ANY (v_calls);
    PERFORM forget_webhooks(p_user, v_calls);
    RETURN v_fresh;
END
$function$;

CREATE OR REPLACE FUNCTION public.forget_webhooks(p_user uuid, p_calls uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    UPDATE webhook_attempts a SET answer = NULL
    FROM webhook_deliveries d JOIN webhook_events v ON v.user_id = d.user_id AND v.id = d.event_id
    WHERE v.user_id = p_user AND v.call_id = ANY (p_calls)
        AND a.user_id = d.user_id AND a.delivery_id = d.id AND a.answer IS NOT NULL;
    UPDATE webhook_events v SET body = NULL
    WHERE v.user_id = p_user AND v.call_id = ANY (p_calls) AND v.body IS NOT NULL;
END
$function$;

REVOKE ALL ON FUNCTION forget_webhooks(p_user uuid, p_calls uuid[]) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.name_leg_v1(p_user uuid, p_leg uuid, p_carrier text, p_carrier_call_id text, p_is_guess boolean DEFAULT false)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    c calls;
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT * INTO c FROM calls x WHERE x.user_id = p_user AND x.id = p_leg FOR NO KEY UPDATE;
    IF NOT FOUND OR c.parent_id IS NULL OR c.carrier <> p_carrier THEN
        RETURN false;
    END IF;
    IF c.carrier_call_id <> '' THEN
        RETURN c.carrier_call_id = p_carrier_call_id;
    END IF;
    -- A caller who came back to the agent (`return_call_v1`) may be put through again, on a leg of that other call.
    IF p_is_guess AND EXISTS (
        SELECT FROM calls x
        WHERE x.user_id = p_user AND x.started_at > c.started_at AND (
            x.parent_id = c.parent_id OR x.parent_id IN (SELECT r.id FROM calls_after(p_user, c.parent_id) r)
        ) AND (
            x.ended_at IS NULL OR x.carrier_call_id <> '' OR x.end_reason IN ('lost', 'never_answered', 'never_dialled')
        )
    ) THEN
        RETURN false;
    END IF;
    INSERT INTO call_directory (carrier, carrier_call_id, user_id, call_id)
    VALUES (p_carrier, p_carrier_call_id, p_user, p_leg) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE calls x SET carrier_call_id = p_carrier_call_id WHERE x.user_id = p_user AND x.id = p_leg;
    RETURN true;
END
$function$;

CREATE OR REPLACE FUNCTION public.notices_to_webhooks()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    PERFORM webhook_event(NEW.user_id, CASE NEW.kind
        WHEN 'low_balance' THEN 'credits.low'
        WHEN 'credit_exhausted' THEN 'credits.exhausted'
        WHEN 'refunded' THEN 'credits.refunded'
        ELSE 'credits.purchased'
    END, NEW.detail);
    RETURN NULL;
END
$function$;

REVOKE ALL ON FUNCTION notices_to_webhooks() FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.redact_webhooks_v1(p_user uuid, p_after uuid, p_most integer, p_pattern text, p_word text, OUT last uuid, OUT changed bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

REVOKE ALL ON FUNCTION redact_webhooks_v1(p_user uuid, p_after uuid, p_most integer, p_pattern text, p_word text, OUT last uuid, OUT changed bigint) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.retain_calls_v1(p_user uuid, p_kind text, p_from timestamp with time zone, p_to timestamp with time zone, p_most integer, OUT emptied bigint, OUT reached timestamp with time zone)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

REVOKE ALL ON FUNCTION retain_calls_v1(p_user uuid, p_kind text, p_from timestamp with time zone, p_to timestamp with time zone, p_most integer, OUT emptied bigint, OUT reached timestamp with time zone) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.return_call_v1(p_user uuid, p_leg uuid, p_owner text, p_call uuid, OUT call_id uuid, OUT allowed boolean, OUT reason text, OUT carrier_call_id text, OUT agent_id uuid, OUT agent_version integer)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    c calls;
    l calls;
    r calls;
    v_now timestamptz;
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT p.* INTO c FROM calls x JOIN calls p ON p.user_id = x.user_id AND p.id = x.parent_id
    WHERE x.user_id = p_user AND x.id = p_leg FOR NO KEY UPDATE OF p;
    allowed := false;
    IF NOT FOUND THEN
        reason := 'over';
        RETURN;
    END IF;
    SELECT * INTO STRICT l FROM calls x WHERE x.user_id = p_user AND x.id = p_leg FOR NO KEY UPDATE;
    carrier_call_id := c.carrier_call_id;
    agent_id := c.agent_id;
    agent_version := c.agent_version;
    SELECT * INTO r FROM calls x WHERE x.user_id = p_user AND x.resumes_id = p_leg;
    IF FOUND THEN
        call_id := r.id;
        allowed := r.status IN ('RINGING', 'IN_PROGRESS');
        reason := CASE WHEN NOT allowed THEN coalesce(r.end_reason, 'over') END;
        RETURN;
    END IF;
    IF l.status = 'RINGING' THEN
        PERFORM end_leg_v1(p_user, p_leg, p_owner, 0, NULL);
    END IF;
    IF c.route <> 'talk' OR c.answered_at IS NULL OR l.answered_at IS NOT NULL OR EXISTS (
        SELECT FROM calls x WHERE x.user_id = p_user AND x.parent_id = c.id AND x.started_at > l.started_at
    ) THEN
        reason := 'over';
        RETURN;
    END IF;
    v_now := clock_timestamp();
    call_id := p_call;
    INSERT INTO calls (
        user_id, id, resumes_id, agent_id, agent_version, number_id, direction, carrier, carrier_call_id, caller, dialled,
        status, route, started_at, forgotten_at
    ) VALUES (
        p_user, p_call, p_leg, c.agent_id, c.agent_version, c.number_id, c.direction, c.carrier, c.carrier_call_id,
        c.caller, c.dialled, 'RINGING', 'talk', v_now, c.forgotten_at
    );
    SELECT z.allowed, z.reason INTO allowed, reason FROM authorise_v1(p_user, p_call) z;
    IF NOT allowed THEN
        v_now := clock_timestamp();
        UPDATE calls x SET
            status = 'COMPLETED', route = return_call_v1.reason, end_reason = return_call_v1.reason, ended_at = v_now,
            seconds = 0
        WHERE x.user_id = p_user AND x.id = p_call;
    END IF;
END
$function$;

REVOKE ALL ON FUNCTION return_call_v1(p_user uuid, p_leg uuid, p_owner text, p_call uuid, OUT call_id uuid, OUT allowed boolean, OUT reason text, OUT carrier_call_id text, OUT agent_id uuid, OUT agent_version integer) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.settle_many_v1(p_users uuid[], p_calls uuid[], p_seconds integer[])
 RETURNS TABLE(user_id uuid, call_id uuid, fresh boolean, state hold_state, charged bigint, unbilled bigint, balance bigint)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    v_size integer := cardinality(p_users);
    v_now timestamptz;
    v_missing uuid;
    v_accounts credit_accounts[];
    v_lines credit_transactions[];
    v_places bigint[];
    v_charges bigint[];
BEGIN
    IF v_size IS NULL OR v_size NOT BETWEEN 1 AND 10000 OR cardinality(p_calls) IS DISTINCT FROM v_size
        OR cardinality(p_seconds) IS DISTINCT FROM v_size OR array_position(p_users, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'a batch is 1 to 10,000 calls, each with its user and its seconds' USING ERRCODE = 'TT422';
    END IF;
    IF EXISTS (SELECT FROM unnest(p_seconds) s WHERE s IS NULL OR s NOT BETWEEN 0 AND 1000000) THEN
        RAISE EXCEPTION 'a call lasts 0 to 1,000,000 seconds' USING ERRCODE = 'TT422';
    END IF;
    v_accounts := credit_lock_many(p_users);
    PERFORM FROM credit_holds h JOIN unnest(p_users, p_calls) i (user_id, call_id) USING (user_id, call_id)
    ORDER BY h.user_id, h.call_id FOR NO KEY UPDATE OF h;
    SELECT i.call_id INTO v_missing FROM unnest(p_users, p_calls) i (user_id, call_id)
    LEFT JOIN credit_holds h ON h.user_id = i.user_id AND h.call_id = i.call_id WHERE h.call_id IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'no hold for call %', v_missing USING ERRCODE = 'TT404';
    END IF;

    v_now := clock_timestamp();
    -- Where nothing is open, nothing changes, as when one is settled again.
    PERFORM credit_turn_day(o.user_id) FROM (
        SELECT DISTINCT a.user_id FROM unnest(v_accounts) a
        JOIN unnest(p_users, p_calls) i (user_id, call_id) ON i.user_id = a.user_id
        JOIN credit_holds h ON h.user_id = i.user_id AND h.call_id = i.call_id AND h.settled_at IS NULL
        WHERE (a.spent_until > v_now) IS NOT TRUE
    ) o;
    -- What each still open call costs, and how much of it the balance covers when those before it are paid. A call that
    -- stands twice is settled by its first.
    WITH open AS MATERIALIZED (
        SELECT DISTINCT ON (h.user_id, h.call_id) h.*, i.place, i.seconds,
            CASE WHEN h.lease_owner IS NULL THEN 0 ELSE credit_cost(
                i.seconds, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, h.free_seconds
            ) END AS rated
        FROM unnest(p_users, p_calls, p_seconds) WITH ORDINALITY i (user_id, call_id, seconds, place)
        JOIN credit_holds h ON h.user_id = i.user_id AND h.call_id = i.call_id AND h.settled_at IS NULL
        ORDER BY h.user_id, h.call_id, i.place
    ), priced AS MATERIALIZED (
        SELECT o.*, least(o.rated, o.held) AS charge,
            a.balance - sum(least(o.rated, o.held)) OVER (PARTITION BY o.user_id ORDER BY o.place) AS balance_after
        FROM open o JOIN unnest(v_accounts) a ON a.user_id = o.user_id
    ), hold AS (
        UPDATE credit_holds h SET
            state = CASE WHEN p.lease_owner IS NULL THEN 'RELEASED' ELSE 'SETTLED' END::hold_state, held = 0,
            charged = p.charge, unbilled = p.rated - p.charge, settled_at = v_now, settled_seconds = p.seconds
        FROM priced p WHERE h.user_id = p.user_id AND h.call_id = p.call_id
    ), account AS (
        UPDATE credit_accounts a SET
            held = a.held - s.held, open_calls = a.open_calls - s.opened,
            -- Credits that are free again pay debt, also where no line follows.
            clawback_debt = least(a.clawback_debt, greatest(0, -a.grace_limit - (a.balance - a.held + s.held))),
            spent_today = greatest(0, a.spent_today + s.charge - s.held)
        FROM (
            SELECT p.user_id, sum(p.held) AS held, sum(p.charge) AS charge,
                count(*) FILTER (WHERE p.state IN ('AUTHORISED', 'ACTIVE', 'FINAL')) AS opened
            FROM priced p GROUP BY p.user_id
        ) s WHERE a.user_id = s.user_id
    ), told AS (
        INSERT INTO alerts (id, kind, user_id, detail)
        SELECT gen_random_uuid(), 'call_unbilled', p.user_id, jsonb_build_object('call_id', p.call_id, 'credits', p.rated - p.charge)
        FROM priced p WHERE p.rated > p.charge
    ), line AS (
        SELECT p.user_id, p.place * 2 + l.half AS seq, l.type, -l.amount AS amount, p.call_id
        FROM priced p CROSS JOIN LATERAL (VALUES
            (0, 'CALL_USAGE', least(p.charge, greatest(p.balance_after + p.charge, 0))),
            (1, 'GRACE_USAGE', p.charge - least(p.charge, greatest(p.balance_after + p.charge, 0)))
        ) l (half, type, amount) WHERE l.amount > 0
    )
    SELECT
        (SELECT array_agg(ROW(
            l.user_id, l.seq, l.type, l.amount, 0, l.call_id, NULL, NULL, NULL, NULL, NULL, NULL
        )::credit_transactions) FROM line l),
        (SELECT array_agg(p.place ORDER BY p.place) FROM priced p),
        (SELECT array_agg(p.charge ORDER BY p.place) FROM priced p)
    INTO v_lines, v_places, v_charges;
    PERFORM credit_append_many(v_accounts, v_lines);

    RETURN QUERY
    -- Each balance is the one that its own item left: what those after it charge is added back.
    SELECT i.user_id, i.call_id, s.place IS NOT NULL, h.state, h.charged, h.unbilled, (a.balance + coalesce(sum(s.charge) OVER (
        PARTITION BY i.user_id ORDER BY i.place ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
    ), 0))::bigint
    FROM unnest(p_users, p_calls) WITH ORDINALITY i (user_id, call_id, place)
    JOIN credit_holds h ON h.user_id = i.user_id AND h.call_id = i.call_id
    JOIN credit_accounts a ON a.user_id = i.user_id
    LEFT JOIN unnest(v_places, v_charges) s (place, charge) ON s.place = i.place
    ORDER BY i.place;
END
$function$;

CREATE OR REPLACE FUNCTION public.webhook_event(p_user uuid, p_type text, p_data jsonb)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

REVOKE ALL ON FUNCTION webhook_event(p_user uuid, p_type text, p_data jsonb) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.webhook_event_v1(p_user uuid, p_type text, p_data jsonb)
 RETURNS uuid
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    PERFORM assert_tenant(p_user);
    RETURN webhook_event(p_user, p_type, p_data);
END
$function$;

REVOKE ALL ON FUNCTION webhook_event_v1(p_user uuid, p_type text, p_data jsonb) FROM PUBLIC;
ALTER TABLE agent_drafts ADD CONSTRAINT pk_agent_drafts PRIMARY KEY (user_id, agent_id);
ALTER TABLE idempotency_keys ADD CONSTRAINT pk_idempotency_keys PRIMARY KEY (user_id, key);
ALTER TABLE mail_choices ADD CONSTRAINT pk_mail_choices PRIMARY KEY (user_id);
ALTER TABLE marks ADD CONSTRAINT pk_marks PRIMARY KEY (name);
ALTER TABLE number_orders ADD CONSTRAINT pk_number_orders PRIMARY KEY (id);
ALTER TABLE number_proofs ADD CONSTRAINT pk_number_proofs PRIMARY KEY (id);
ALTER TABLE webhook_attempts ADD CONSTRAINT pk_webhook_attempts PRIMARY KEY (user_id, delivery_id, attempt_no);
ALTER TABLE webhook_deliveries ADD CONSTRAINT pk_webhook_deliveries PRIMARY KEY (user_id, id);
ALTER TABLE webhook_endpoints ADD CONSTRAINT pk_webhook_endpoints PRIMARY KEY (user_id, id);
ALTER TABLE webhook_events ADD CONSTRAINT pk_webhook_events PRIMARY KEY (user_id, id);
ALTER TABLE agent_drafts ADD CONSTRAINT ck_agent_drafts_content CHECK ((jsonb_typeof(content) = 'object'::text));
ALTER TABLE agent_drafts ADD CONSTRAINT ck_agent_drafts_revision CHECK (((revision >= opened_revision) AND (opened_revision >= 0)));
ALTER TABLE agent_versions ADD CONSTRAINT ck_agent_versions_copied_from CHECK ((copied_from < version_no));
ALTER TABLE alerts ADD CONSTRAINT ck_alerts_acknowledged_by CHECK (((acknowledged_by IS NULL) OR (acknowledged_at IS NOT NULL)));
ALTER TABLE calls ADD CONSTRAINT ck_calls_resumes_a_leg CHECK (((resumes_id IS NULL) OR ((parent_id IS NULL) AND (resumes_id <> id))));
ALTER TABLE idempotency_keys ADD CONSTRAINT ck_idempotency_keys_answer CHECK (((status IS NULL) = (answer IS NULL)));
ALTER TABLE idempotency_keys ADD CONSTRAINT ck_idempotency_keys_digest CHECK ((octet_length(digest) = 32));
ALTER TABLE idempotency_keys ADD CONSTRAINT ck_idempotency_keys_key CHECK (((length(key) >= 1) AND (length(key) <= 255)));
ALTER TABLE marks ADD CONSTRAINT ck_marks_detail CHECK ((jsonb_typeof(detail) = 'object'::text));
ALTER TABLE marks ADD CONSTRAINT ck_marks_name CHECK (((length(name) >= 1) AND (length(name) <= 100)));
ALTER TABLE number_orders ADD CONSTRAINT ck_number_orders_e164 CHECK ((number ~ '^\+[1-9][0-9]{6,14}$'::text));
ALTER TABLE number_orders ADD CONSTRAINT ck_number_orders_finished_at CHECK (((state = 'ORDERED'::order_state) = (finished_at IS NULL)));
ALTER TABLE number_orders ADD CONSTRAINT ck_number_orders_number_id CHECK (((state = 'BOUGHT'::order_state) = (number_id IS NOT NULL)));
ALTER TABLE number_orders ADD CONSTRAINT ck_number_orders_price CHECK (((amount_micros >= 0) AND (currency ~ '^[A-Z]{3}$'::text)));
ALTER TABLE number_proofs ADD CONSTRAINT ck_number_proofs_code_hash CHECK ((octet_length(code_hash) = 32));
ALTER TABLE number_proofs ADD CONSTRAINT ck_number_proofs_e164 CHECK ((number ~ '^\+[1-9][0-9]{6,14}$'::text));
ALTER TABLE number_proofs ADD CONSTRAINT ck_number_proofs_expires_later CHECK ((expires_at > created_at));
ALTER TABLE phone_numbers ADD CONSTRAINT ck_phone_numbers_rent_credits CHECK (((rent_credits >= 0) AND (rent_credits <= 1000000000)));
ALTER TABLE webhook_attempts ADD CONSTRAINT ck_webhook_attempts_counts CHECK (((attempt_no >= 1) AND (milliseconds >= 0)));
ALTER TABLE webhook_attempts ADD CONSTRAINT ck_webhook_attempts_status CHECK (((status >= 100) AND (status <= 999)));
ALTER TABLE webhook_attempts ADD CONSTRAINT ck_webhook_attempts_texts CHECK (((octet_length(answer) <= 16384) AND (length(error) <= 500)));
ALTER TABLE webhook_deliveries ADD CONSTRAINT ck_webhook_deliveries_counts CHECK (((tries >= 0) AND (attempts >= tries)));
ALTER TABLE webhook_deliveries ADD CONSTRAINT ck_webhook_deliveries_ended CHECK (((state = 'PENDING'::webhook_delivery_state) = (ended_at IS NULL)));
ALTER TABLE webhook_deliveries ADD CONSTRAINT ck_webhook_deliveries_pending_is_due CHECK (((state = 'PENDING'::webhook_delivery_state) = (due_at IS NOT NULL)));
ALTER TABLE webhook_deliveries ADD CONSTRAINT ck_webhook_deliveries_sequence CHECK (((attempts = 0) OR (sequence IS NOT NULL)));
ALTER TABLE webhook_endpoints ADD CONSTRAINT ck_webhook_endpoints_counts CHECK (((last_sequence >= 0) AND (failures >= 0) AND (revision >= 1)));
ALTER TABLE webhook_endpoints ADD CONSTRAINT ck_webhook_endpoints_deleted_is_empty CHECK (((deleted_at IS NULL) OR (url = ''::text)));
ALTER TABLE webhook_endpoints ADD CONSTRAINT ck_webhook_endpoints_disabled CHECK (((disabled_at IS NULL) = (disabled_reason IS NULL)));
ALTER TABLE webhook_endpoints ADD CONSTRAINT ck_webhook_endpoints_events CHECK (((cardinality(events) >= 1) AND (cardinality(events) <= 50)));
ALTER TABLE webhook_endpoints ADD CONSTRAINT ck_webhook_endpoints_failing CHECK (((failing_since IS NULL) = (failures = 0)));
ALTER TABLE webhook_endpoints ADD CONSTRAINT ck_webhook_endpoints_old_secret CHECK (((old_secret IS NULL) = (old_secret_until IS NULL)));
ALTER TABLE webhook_endpoints ADD CONSTRAINT ck_webhook_endpoints_texts CHECK (((length(url) <= 2000) AND (length(description) <= 200)));
ALTER TABLE webhook_events ADD CONSTRAINT ck_webhook_events_body CHECK ((octet_length(body) <= 20480));
ALTER TABLE webhook_events ADD CONSTRAINT ck_webhook_events_texts CHECK ((((length(type) >= 1) AND (length(type) <= 100)) AND (jsonb_typeof(data) = 'object'::text)));
CREATE INDEX ix_alerts_created_at ON public.alerts USING btree (created_at, id);
CREATE INDEX ix_approvals_created_at ON public.approvals USING btree (created_at, id);
CREATE INDEX ix_calls_failed ON public.calls USING btree (user_id, started_at, id) WHERE (status = 'FAILED'::call_status);
CREATE INDEX ix_calls_no_answer ON public.calls USING btree (user_id, started_at, id) WHERE (status = 'NO_ANSWER'::call_status);
CREATE INDEX ix_calls_user_id_number_id ON public.calls USING btree (user_id, number_id, started_at);
CREATE INDEX ix_calls_user_id_outcome ON public.calls USING btree (user_id, outcome, started_at) WHERE (outcome IS NOT NULL);
CREATE INDEX ix_credit_transactions_reversals ON public.credit_transactions USING btree (user_id, reference) WHERE (type = ANY (ARRAY['REFUND'::transaction_type, 'DISPUTE'::transaction_type]));
CREATE INDEX ix_idempotency_keys_created_at ON public.idempotency_keys USING btree (created_at);
CREATE INDEX ix_number_orders_try_at ON public.number_orders USING btree (try_at) WHERE (state = 'ORDERED'::order_state);
CREATE INDEX ix_number_proofs_number_created_at ON public.number_proofs USING btree (number, created_at);
CREATE INDEX ix_number_proofs_user_id ON public.number_proofs USING btree (user_id, id);
CREATE INDEX ix_payment_reversals_created_at ON public.payment_reversals USING btree (created_at, user_id, id);
CREATE INDEX ix_phone_numbers_rent ON public.phone_numbers USING btree (rent_due_on) WHERE (rent_due_on IS NOT NULL);
CREATE INDEX ix_phone_numbers_resting ON public.phone_numbers USING btree (quarantine_until) WHERE (status = 'RELEASED'::phone_status);
CREATE INDEX ix_phone_numbers_wanted ON public.phone_numbers USING btree (carrier_try_at) WHERE (carrier_phase = 'WANTED'::carrier_phase);
CREATE INDEX ix_provider_events_given_up ON public.provider_events USING btree (gave_up_at) WHERE ((gave_up_at IS NOT NULL) AND (handled_at IS NULL));
CREATE INDEX ix_purchases_created_at ON public.purchases USING btree (created_at, id);
CREATE INDEX ix_ungranted_payments_created_at ON public.ungranted_payments USING btree (created_at, gateway, payment_id);
CREATE INDEX ix_webhook_deliveries_due ON public.webhook_deliveries USING btree (user_id, endpoint_id, due_at, id) WHERE (due_at IS NOT NULL);
CREATE INDEX ix_webhook_deliveries_endpoint ON public.webhook_deliveries USING btree (user_id, endpoint_id, created_at, id);
CREATE INDEX ix_webhook_deliveries_failed ON public.webhook_deliveries USING btree (user_id, endpoint_id, created_at, id) WHERE (state = ANY (ARRAY['FAILED'::webhook_delivery_state, 'SKIPPED'::webhook_delivery_state]));
CREATE INDEX ix_webhook_endpoints_deleted ON public.webhook_endpoints USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);
CREATE INDEX ix_webhook_events_created_at ON public.webhook_events USING btree (created_at);
CREATE INDEX ix_webhook_events_user_id_call_id ON public.webhook_events USING btree (user_id, call_id) WHERE (call_id IS NOT NULL);
CREATE INDEX ix_webhook_events_user_id_created_at ON public.webhook_events USING btree (user_id, created_at, id);
CREATE UNIQUE INDEX uq_calls_resumes_id ON public.calls USING btree (user_id, resumes_id) WHERE (resumes_id IS NOT NULL);
CREATE UNIQUE INDEX uq_notices_gathering ON public.notices USING btree (user_id) WHERE ((kind = 'missed_calls'::text) AND (tries = 0) AND (mailed_at IS NULL) AND (dropped_at IS NULL));
CREATE UNIQUE INDEX uq_number_orders_ordered ON public.number_orders USING btree (number) WHERE (state = 'ORDERED'::order_state);
CREATE UNIQUE INDEX uq_number_proofs_number ON public.number_proofs USING btree (number) WHERE ((proven_at IS NOT NULL) AND (ended_at IS NULL));
CREATE UNIQUE INDEX uq_webhook_deliveries_user_id_event_id_endpoint_id ON public.webhook_deliveries USING btree (user_id, event_id, endpoint_id);
ALTER TABLE agent_drafts ADD CONSTRAINT fk_agent_drafts_user_id_agent_id FOREIGN KEY (user_id, agent_id) REFERENCES agents(user_id, id);
ALTER TABLE calls ADD CONSTRAINT fk_calls_user_id_resumes_id FOREIGN KEY (user_id, resumes_id) REFERENCES calls(user_id, id);
ALTER TABLE idempotency_keys ADD CONSTRAINT fk_idempotency_keys_user_id FOREIGN KEY (user_id) REFERENCES users(id);
ALTER TABLE mail_choices ADD CONSTRAINT fk_mail_choices_user_id FOREIGN KEY (user_id) REFERENCES users(id);
ALTER TABLE number_orders ADD CONSTRAINT fk_number_orders_number_id FOREIGN KEY (number_id) REFERENCES phone_numbers(id);
ALTER TABLE number_orders ADD CONSTRAINT fk_number_orders_ordered_by FOREIGN KEY (ordered_by) REFERENCES users(id);
ALTER TABLE number_proofs ADD CONSTRAINT fk_number_proofs_user_id FOREIGN KEY (user_id) REFERENCES users(id);
ALTER TABLE phone_numbers ADD CONSTRAINT fk_phone_numbers_owner_id FOREIGN KEY (owner_id) REFERENCES users(id);
ALTER TABLE webhook_attempts ADD CONSTRAINT fk_webhook_attempts_user_id_delivery_id FOREIGN KEY (user_id, delivery_id) REFERENCES webhook_deliveries(user_id, id);
ALTER TABLE webhook_deliveries ADD CONSTRAINT fk_webhook_deliveries_user_id_endpoint_id FOREIGN KEY (user_id, endpoint_id) REFERENCES webhook_endpoints(user_id, id);
ALTER TABLE webhook_deliveries ADD CONSTRAINT fk_webhook_deliveries_user_id_event_id FOREIGN KEY (user_id, event_id) REFERENCES webhook_events(user_id, id);
ALTER TABLE webhook_endpoints ADD CONSTRAINT fk_webhook_endpoints_user_id FOREIGN KEY (user_id) REFERENCES users(id);
ALTER TABLE webhook_events ADD CONSTRAINT fk_webhook_events_user_id FOREIGN KEY (user_id) REFERENCES users(id);
CREATE TRIGGER calls_begin_to_webhooks AFTER INSERT ON public.calls FOR EACH ROW WHEN ((new.parent_id IS NULL)) EXECUTE FUNCTION calls_to_webhooks();
CREATE TRIGGER calls_cost_carrier AFTER UPDATE OF status, carrier_seconds ON public.calls FOR EACH ROW WHEN (((new.ended_at IS NOT NULL) AND (new.resumes_id IS NULL))) EXECUTE FUNCTION calls_cost_carrier();
CREATE TRIGGER calls_move_to_webhooks AFTER UPDATE OF status ON public.calls FOR EACH ROW WHEN (((new.parent_id IS NULL) AND (new.status <> old.status))) EXECUTE FUNCTION calls_to_webhooks();
CREATE TRIGGER calls_tell AFTER UPDATE OF status, ended_at, outcome ON public.calls FOR EACH ROW WHEN (((new.ended_at IS NOT NULL) AND (new.direction = 'INBOUND'::call_direction) AND (new.forgotten_at IS NULL) AND ((old.ended_at IS NULL) OR (new.outcome IS DISTINCT FROM old.outcome)))) EXECUTE FUNCTION calls_tell();
CREATE TRIGGER notices_to_webhooks AFTER INSERT ON public.notices FOR EACH ROW WHEN ((new.kind = ANY (ARRAY['low_balance'::text, 'credit_exhausted'::text, 'purchase_paid'::text, 'top_up_done'::text, 'refunded'::text]))) EXECUTE FUNCTION notices_to_webhooks();
CREATE POLICY everyone ON agent_drafts AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON agent_drafts AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON idempotency_keys AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON idempotency_keys AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON mail_choices AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON mail_choices AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON webhook_attempts AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON webhook_attempts AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON webhook_deliveries AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON webhook_deliveries AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON webhook_endpoints AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON webhook_endpoints AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON webhook_events AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON webhook_events AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
GRANT UPDATE (attempts) ON TABLE webhook_deliveries TO talktime_everyone;
GRANT INSERT (created_at) ON TABLE webhook_deliveries TO talktime;
GRANT INSERT (created_at) ON TABLE webhook_deliveries TO talktime_everyone;
GRANT INSERT (due_at), UPDATE (due_at) ON TABLE webhook_deliveries TO talktime;
GRANT INSERT (due_at), UPDATE (due_at) ON TABLE webhook_deliveries TO talktime_everyone;
GRANT INSERT (ended_at), UPDATE (ended_at) ON TABLE webhook_deliveries TO talktime;
GRANT INSERT (ended_at), UPDATE (ended_at) ON TABLE webhook_deliveries TO talktime_everyone;
GRANT INSERT (endpoint_id) ON TABLE webhook_deliveries TO talktime;
GRANT INSERT (endpoint_id) ON TABLE webhook_deliveries TO talktime_everyone;
GRANT INSERT (event_id) ON TABLE webhook_deliveries TO talktime;
GRANT INSERT (event_id) ON TABLE webhook_deliveries TO talktime_everyone;
GRANT INSERT (id) ON TABLE webhook_deliveries TO talktime;
GRANT INSERT (id) ON TABLE webhook_deliveries TO talktime_everyone;
GRANT UPDATE (sequence) ON TABLE webhook_deliveries TO talktime_everyone;
GRANT INSERT (state), UPDATE (state) ON TABLE webhook_deliveries TO talktime;
GRANT INSERT (state), UPDATE (state) ON TABLE webhook_deliveries TO talktime_everyone;
GRANT UPDATE (tries) ON TABLE webhook_deliveries TO talktime;
GRANT UPDATE (tries) ON TABLE webhook_deliveries TO talktime_everyone;
GRANT INSERT (user_id) ON TABLE webhook_deliveries TO talktime;
GRANT INSERT (user_id) ON TABLE webhook_deliveries TO talktime_everyone;
GRANT UPDATE (body) ON TABLE webhook_events TO talktime;
GRANT UPDATE (body) ON TABLE webhook_events TO talktime_everyone;
GRANT INSERT (created_at) ON TABLE webhook_events TO talktime;
GRANT INSERT (created_at) ON TABLE webhook_events TO talktime_everyone;
GRANT INSERT (data) ON TABLE webhook_events TO talktime;
GRANT INSERT (data) ON TABLE webhook_events TO talktime_everyone;
GRANT INSERT (id) ON TABLE webhook_events TO talktime;
GRANT INSERT (id) ON TABLE webhook_events TO talktime_everyone;
GRANT INSERT (type) ON TABLE webhook_events TO talktime;
GRANT INSERT (type) ON TABLE webhook_events TO talktime_everyone;
GRANT INSERT (user_id) ON TABLE webhook_events TO talktime;
GRANT INSERT (user_id) ON TABLE webhook_events TO talktime_everyone;
GRANT EXECUTE ON FUNCTION accept_event_v1(p_id uuid, p_provider text, p_account text, p_event_id text, p_kind text, p_body bytea, p_headers jsonb, p_job text, OUT stored boolean) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION claim_webhooks_v1(p_most integer, p_ailing_most integer, p_seconds integer) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION empty_webhooks_v1(p_user uuid) TO talktime;
GRANT EXECUTE ON FUNCTION empty_webhooks_v1(p_user uuid) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION enter_api_v1(p_key_hash bytea, p_network bytea, p_guess bytea, p_guesses double precision, p_guess_leak_seconds double precision, p_size double precision, p_account_size double precision, p_leak_seconds double precision, OUT key_id uuid, OUT user_id uuid, OUT scopes text[], OUT role text, OUT zone text, OUT locale text, OUT wait_seconds double precision, OUT remaining double precision) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION redact_webhooks_v1(p_user uuid, p_after uuid, p_most integer, p_pattern text, p_word text, OUT last uuid, OUT changed bigint) TO talktime;
GRANT EXECUTE ON FUNCTION redact_webhooks_v1(p_user uuid, p_after uuid, p_most integer, p_pattern text, p_word text, OUT last uuid, OUT changed bigint) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION retain_calls_v1(p_user uuid, p_kind text, p_from timestamp with time zone, p_to timestamp with time zone, p_most integer, OUT emptied bigint, OUT reached timestamp with time zone) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION return_call_v1(p_user uuid, p_leg uuid, p_owner text, p_call uuid, OUT call_id uuid, OUT allowed boolean, OUT reason text, OUT carrier_call_id text, OUT agent_id uuid, OUT agent_version integer) TO talktime;
GRANT EXECUTE ON FUNCTION return_call_v1(p_user uuid, p_leg uuid, p_owner text, p_call uuid, OUT call_id uuid, OUT allowed boolean, OUT reason text, OUT carrier_call_id text, OUT agent_id uuid, OUT agent_version integer) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION webhook_event_v1(p_user uuid, p_type text, p_data jsonb) TO talktime;
GRANT EXECUTE ON FUNCTION webhook_event_v1(p_user uuid, p_type text, p_data jsonb) TO talktime_everyone;
GRANT INSERT, SELECT, UPDATE ON TABLE agent_drafts TO talktime;
GRANT INSERT, SELECT, UPDATE ON TABLE agent_drafts TO talktime_everyone;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE idempotency_keys TO talktime;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE idempotency_keys TO talktime_everyone;
GRANT INSERT, SELECT, UPDATE ON TABLE mail_choices TO talktime;
GRANT INSERT, SELECT, UPDATE ON TABLE mail_choices TO talktime_everyone;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE marks TO talktime_everyone;
GRANT INSERT, SELECT, UPDATE ON TABLE number_orders TO talktime_everyone;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE number_proofs TO talktime_everyone;
GRANT SELECT ON TABLE webhook_attempts TO talktime;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE webhook_attempts TO talktime_everyone;
GRANT SELECT ON TABLE webhook_deliveries TO talktime;
GRANT DELETE, SELECT ON TABLE webhook_deliveries TO talktime_everyone;
GRANT INSERT, SELECT, UPDATE ON TABLE webhook_endpoints TO talktime;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE webhook_endpoints TO talktime_everyone;
GRANT SELECT ON TABLE webhook_events TO talktime;
GRANT DELETE, SELECT ON TABLE webhook_events TO talktime_everyone;

-- What older versions did not keep of their own: it was the agent's.
UPDATE agent_versions v SET business = a.business, language = a.language, zone = a.zone
FROM agents a
WHERE a.user_id = v.user_id AND a.id = v.agent_id AND v.language IS NULL;
