SET check_function_bodies = off;

REVOKE EXECUTE ON FUNCTION ring_v1(p_carrier text, p_carrier_call_id text, p_user uuid, p_call uuid, p_number uuid, p_agent uuid, p_version integer, p_caller text, p_dialled text, p_rung text, OUT call_id uuid, OUT route text, OUT fresh boolean) FROM talktime;
CREATE TYPE link_purpose AS ENUM ('SIGN_UP', 'INVITE', 'SIGN_IN', 'RESET', 'CHANGE_EMAIL');

CREATE TABLE account_links (
    id uuid NOT NULL,
    token_hash bytea NOT NULL,
    purpose link_purpose NOT NULL,
    user_id uuid,
    email text,
    locale text,
    role role,
    made_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone
);

CREATE TABLE api_keys (
    id uuid NOT NULL,
    key_hash bytea NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone
);

CREATE TABLE audit_entries (
    user_id uuid NOT NULL,
    seq bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    actor_id uuid,
    act text NOT NULL,
    before jsonb,
    after jsonb,
    door text NOT NULL,
    network text,
    hash bytea NOT NULL
);
ALTER TABLE audit_entries ENABLE ROW LEVEL SECURITY;

CREATE TABLE audit_heads (
    user_id uuid NOT NULL,
    seq bigint NOT NULL,
    hash bytea NOT NULL
);
ALTER TABLE audit_heads ENABLE ROW LEVEL SECURITY;

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    used_at timestamp with time zone
);
ALTER TABLE recovery_codes ENABLE ROW LEVEL SECURITY;

CREATE TABLE throttles (
    key bytea NOT NULL,
    level double precision NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE calls ADD COLUMN forgotten_at timestamp with time zone;
ALTER TABLE sessions ADD COLUMN second_factor_due boolean DEFAULT false NOT NULL;
ALTER TABLE sessions ADD COLUMN confirmed_at timestamp with time zone DEFAULT now() NOT NULL;
ALTER TABLE sessions ADD COLUMN actor_id uuid;
ALTER TABLE users ADD COLUMN email_confirmed_at timestamp with time zone;
ALTER TABLE users ADD COLUMN totp_secret bytea;
ALTER TABLE users ADD COLUMN totp_since timestamp with time zone;
ALTER TABLE users ADD COLUMN totp_step bigint;
ALTER TABLE users ADD COLUMN closed_at timestamp with time zone;

CREATE OR REPLACE FUNCTION public.adjust_v1(p_user uuid, p_reference text, p_amount bigint, p_reason text, p_actor uuid, p_as_debt boolean DEFAULT false, OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    t credit_transactions;
    v_account_at tid;
    v_held bigint;
    v_low_balance bigint;
    v_head bytea;
    v_now timestamptz;
    v_free bigint;
BEGIN
    IF (p_user = nullif(current_setting('talktime.user_id', true), '')::uuid
        AND p_amount <> 0 AND p_amount BETWEEN -1000000000000 AND 1000000000000 AND p_actor IS NOT NULL AND p_reason ~ '\S'
        AND p_reference ~ '^(?!(correction|rent|refund|dispute|payout):).*\S') IS NOT TRUE THEN
        PERFORM assert_tenant(p_user);
        IF p_amount IS NULL OR p_amount = 0 OR p_amount NOT BETWEEN -1000000000000 AND 1000000000000 THEN
            RAISE EXCEPTION 'an adjustment is 1 to 1,000,000,000,000 credits either way, not %', p_amount USING ERRCODE = 'TT422';
        END IF;
        IF coalesce(p_reference, '') !~ '\S' OR coalesce(p_reason, '') !~ '\S' OR p_actor IS NULL THEN
            RAISE EXCEPTION 'an adjustment needs a reference, a reason and who makes it' USING ERRCODE = 'TT422';
        END IF;
        IF p_reference ~ '^(correction|rent|refund|dispute|payout):' THEN
            RAISE EXCEPTION 'references beginning with % are the system''s own', split_part(p_reference, ':', 1)
                USING ERRCODE = 'TT422';
        END IF;
    END IF;
    -- (A locked row stays where it is, and is written there below.)
    SELECT a.ctid, a.seq + 1, p_amount, a.balance + p_amount, a.held, a.low_balance, a.head, clock_timestamp()
    INTO v_account_at, seq, amount, balance_after, v_held, v_low_balance, v_head, v_now
    FROM credit_accounts a WHERE a.user_id = p_user FOR NO KEY UPDATE;
    IF v_account_at IS NULL OR p_amount < 0 THEN
        IF v_account_at IS NULL THEN
            PERFORM credit_lock(p_user);
            SELECT a.ctid, a.seq + 1, p_amount, a.balance + p_amount, a.held, a.low_balance, a.head, clock_timestamp()
            INTO v_account_at, seq, amount, balance_after, v_held, v_low_balance, v_head, v_now
            FROM credit_accounts a WHERE a.user_id = p_user;
        END IF;
        v_free := greatest(0, balance_after - p_amount - v_held);
        -- What is missing to the grace line becomes debt, however little there was before: only to who insists on it.
        IF p_amount < -v_free AND p_as_debt IS NOT TRUE
            AND NOT EXISTS (SELECT FROM credit_transactions c WHERE c.user_id = p_user AND c.reference = p_reference) THEN
            RAISE EXCEPTION 'only % credits are free to be taken, not %', v_free, -p_amount USING ERRCODE = 'TT402';
        END IF;
    END IF;
    v_head := credit_line_hash(v_head, p_user, seq, 'ADMIN_ADJUSTMENT', p_amount, balance_after, NULL, NULL, p_reference, p_reason,
                               p_actor, v_now);
    INSERT INTO credit_transactions (
        user_id, seq, type, amount, balance_after, reference, reason, actor_id, created_at, hash
    ) VALUES (
        p_user, adjust_v1.seq, 'ADMIN_ADJUSTMENT', p_amount, adjust_v1.balance_after, p_reference, p_reason, p_actor, v_now, v_head
    ) ON CONFLICT (user_id, reference) WHERE reference IS NOT NULL DO NOTHING;
    fresh := FOUND;
    IF fresh THEN
        -- Debt is what is missing to the grace line; whether it may grow was decided before.
        UPDATE credit_accounts SET
            balance = adjust_v1.balance_after, seq = adjust_v1.seq, head = v_head,
            clawback_debt = greatest(0, held - grace_limit - adjust_v1.balance_after)
        WHERE ctid = v_account_at;
        IF NOT FOUND OR v_low_balance > balance_after THEN
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the account of user % moved under its lock', p_user;
            END IF;
            IF v_low_balance <= balance_after - p_amount THEN
                PERFORM credit_notice(p_user, 'low_balance', adjust_v1.seq::text, jsonb_build_object(
                    'balance', adjust_v1.balance_after, 'threshold', v_low_balance
                ));
            END IF;
        END IF;
    ELSE
        SELECT * INTO STRICT t FROM credit_transactions c WHERE c.user_id = p_user AND c.reference = p_reference;
        IF t.type <> 'ADMIN_ADJUSTMENT' OR t.amount <> p_amount OR t.reason <> p_reason OR t.actor_id IS DISTINCT FROM p_actor THEN
            RAISE EXCEPTION 'reference % was used for another line', p_reference USING ERRCODE = 'TT409';
        END IF;
        seq := t.seq;
        amount := t.amount;
        balance_after := t.balance_after;
    END IF;
END
$function$;

CREATE OR REPLACE FUNCTION public.assert_tenant(p_user uuid)
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    IF current_setting('role') = 'talktime_everyone' THEN
        RETURN;
    END IF;
    -- Nobody in particular is nobody's own either.
    IF (p_user = nullif(current_setting('talktime.user_id', true), '')::uuid) IS NOT TRUE THEN
        RAISE EXCEPTION 'this transaction is not of user %', p_user USING ERRCODE = 'TT403';
    END IF;
END
$function$;

CREATE OR REPLACE FUNCTION public.audit_entries_stay()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    RAISE EXCEPTION 'what was done stays written down' USING ERRCODE = 'TT403';
END
$function$;

REVOKE ALL ON FUNCTION audit_entries_stay() FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.audit_hash(p_previous bytea, p_user uuid, p_seq bigint, p_at timestamp with time zone, p_actor uuid, p_act text, p_before jsonb, p_after jsonb, p_door text, p_network text)
 RETURNS bytea
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN sha256(record_send(ROW(1, p_user, p_seq, p_at, p_actor, convert_to(p_act, 'UTF8'::name), convert_to((p_before)::text, 'UTF8'::name), convert_to((p_after)::text, 'UTF8'::name), convert_to(p_door, 'UTF8'::name), convert_to(p_network, 'UTF8'::name), p_previous)));

REVOKE ALL ON FUNCTION audit_hash(p_previous bytea, p_user uuid, p_seq bigint, p_at timestamp with time zone, p_actor uuid, p_act text, p_before jsonb, p_after jsonb, p_door text, p_network text) FROM PUBLIC;

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

REVOKE ALL ON FUNCTION audit_v1(p_user uuid, p_actor uuid, p_act text, p_before jsonb, p_after jsonb, p_door text, p_network text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.authorise_v1(p_user uuid, p_call uuid, p_price uuid DEFAULT NULL::uuid, OUT allowed boolean, OUT reason text, OUT granted_seconds integer, OUT held bigint, OUT fresh boolean)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    a record;
    p record;
    v_now timestamptz;
    v_free bigint;
    v_room bigint;
    v_guard text;
BEGIN
    IF (p_user = nullif(current_setting('talktime.user_id', true), '')::uuid) IS NOT TRUE THEN
        PERFORM assert_tenant(p_user);
    END IF;
    LOOP
        -- (A locked row stays where it is, and is written there below.)
        SELECT c.ctid AS account_at, clock_timestamp() AS now, (c.spent_until > clock_timestamp()) IS TRUE AS day_is_on,
            greatest(c.balance - c.held, 0) AS free,
            c.day_limit IS NOT NULL OR c.call_limit IS NOT NULL OR c.caller_limit IS NOT NULL AS guarded,
            CASE
                WHEN c.blocked_reason IS NOT NULL THEN 'blocked'
                WHEN c.open_calls >= c.max_open_calls THEN 'too_many_calls'
                WHEN c.clawback_debt > 0 THEN 'debt'
            END AS reason
        INTO a FROM credit_accounts c WHERE c.user_id = p_user FOR NO KEY UPDATE;
        EXIT WHEN FOUND;
        PERFORM credit_lock(p_user);
    END LOOP;
    v_now := a.now;
    IF p_price IS NULL THEN
        -- As `credit_price` chooses, in one statement: nearly everybody follows the list.
        SELECT x.id, x.credits_per_minute, x.connection_fee, x.initial_seconds, x.increment_seconds, x.free_seconds INTO p
        FROM prices x
        WHERE x.user_id IS NULL AND x.kind = 'CALL' AND x.valid_from <= v_now
            AND NOT EXISTS (SELECT FROM prices own WHERE own.user_id = p_user AND own.kind = 'CALL' AND own.valid_from <= v_now)
        ORDER BY x.valid_from DESC, x.id DESC LIMIT 1;
        IF NOT FOUND THEN
            SELECT x.id, x.credits_per_minute, x.connection_fee, x.initial_seconds, x.increment_seconds, x.free_seconds INTO p
            FROM credit_price(p_user, v_now) x;
        END IF;
    ELSE
        SELECT x.id, x.credits_per_minute, x.connection_fee, x.initial_seconds, x.increment_seconds, x.free_seconds INTO p
        FROM prices x WHERE x.id = p_price AND (x.user_id IS NULL OR x.user_id = p_user) AND NOT x.follows_list;
    END IF;
    reason := CASE WHEN p.id IS NULL THEN 'no_price' ELSE a.reason END;
    IF reason IS NULL THEN
        -- A free price needs no balance; grace never starts a call.
        v_free := a.free;
        IF a.guarded THEN
            SELECT g.room, g.guard INTO v_room, v_guard
            FROM credit_accounts c CROSS JOIN LATERAL credit_room(credit_spend(c, 0), p_call, 0) g WHERE c.user_id = p_user;
            IF v_room < v_free THEN
                v_free := greatest(v_room, 0);
            ELSE
                v_guard := NULL;
            END IF;
        END IF;
        granted_seconds := p.initial_seconds + credit_steps(greatest(0, 60 - p.initial_seconds), p.increment_seconds);
        held := credit_cost(granted_seconds, p.credits_per_minute, p.connection_fee, p.initial_seconds, p.increment_seconds, 0);
        IF held > v_free THEN
            granted_seconds := credit_affords(
                v_free, p.credits_per_minute, p.connection_fee, p.initial_seconds, p.increment_seconds
            );
            held := credit_cost(
                granted_seconds, p.credits_per_minute, p.connection_fee, p.initial_seconds, p.increment_seconds, 0
            );
            IF granted_seconds = 0 THEN
                reason := coalesce(v_guard, 'no_credit');
            END IF;
        END IF;
    END IF;

    -- The hold is written as if there were none. When there is one, what it says is the answer.
    IF reason IS NULL THEN
        INSERT INTO credit_holds (
            user_id, call_id, price_id, credits_per_minute, connection_fee, initial_seconds, increment_seconds, free_seconds,
            state, granted_seconds, held, held_peak, lease_until, created_at
        ) VALUES (
            p_user, p_call, p.id, p.credits_per_minute, p.connection_fee, p.initial_seconds, p.increment_seconds, p.free_seconds,
            'AUTHORISED', authorise_v1.granted_seconds, authorise_v1.held, authorise_v1.held, v_now + interval '120 seconds', v_now
        ) ON CONFLICT (user_id, call_id) DO NOTHING;
        allowed := true;
    ELSE
        granted_seconds := 0;
        held := 0;
        INSERT INTO credit_holds (
            user_id, call_id, price_id, credits_per_minute, connection_fee, initial_seconds, increment_seconds, free_seconds,
            state, denied_reason, granted_seconds, settled_at, created_at
        ) VALUES (
            p_user, p_call, p.id, coalesce(p.credits_per_minute, 0), coalesce(p.connection_fee, 0),
            coalesce(p.initial_seconds, 60), coalesce(p.increment_seconds, 60), coalesce(p.free_seconds, 0),
            'DENIED', authorise_v1.reason, 0, v_now, v_now
        ) ON CONFLICT (user_id, call_id) DO NOTHING;
        allowed := false;
    END IF;
    fresh := FOUND;
    IF NOT fresh THEN
        SELECT h.state NOT IN ('DENIED', 'SETTLED', 'RELEASED'), h.granted_seconds, h.held,
            CASE WHEN h.state = 'DENIED' THEN h.denied_reason WHEN h.state IN ('SETTLED', 'RELEASED') THEN 'over' END
        INTO STRICT allowed, granted_seconds, held, reason
        FROM credit_holds h WHERE h.user_id = p_user AND h.call_id = p_call;
        RETURN;
    END IF;
    IF NOT allowed THEN
        IF reason <> 'blocked' THEN
            PERFORM credit_tell_refused(c, p_call, 'calls_refused', authorise_v1.reason)
            FROM credit_accounts c WHERE c.user_id = p_user;
        END IF;
        RETURN;
    END IF;
    IF a.day_is_on THEN
        UPDATE credit_accounts SET
            held = held + authorise_v1.held, open_calls = open_calls + 1, spent_today = spent_today + authorise_v1.held
        WHERE ctid = a.account_at;
    ELSE
        UPDATE credit_accounts c SET
            held = c.held + authorise_v1.held, open_calls = c.open_calls + 1,
            spent_on = d.spent_on, spent_until = d.spent_until, spent_today = d.spent_today + authorise_v1.held
        FROM credit_day(p_user, v_now) d WHERE c.ctid = a.account_at;
    END IF;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the account of user % moved under its lock', p_user;
    END IF;
END
$function$;

CREATE OR REPLACE FUNCTION public.call_of_event(p_provider text, p_event_id text, OUT user_id uuid, OUT call_id uuid)
 RETURNS record
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
    SELECT d.user_id, d.call_id FROM call_directory d
    WHERE d.carrier = p_provider AND d.carrier_call_id = split_part(p_event_id, ':', 1)
$function$;

REVOKE ALL ON FUNCTION call_of_event(p_provider text, p_event_id text, OUT user_id uuid, OUT call_id uuid) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.call_turns_forgotten()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_forgotten timestamptz;
BEGIN
    SELECT c.forgotten_at INTO v_forgotten FROM calls c
    WHERE c.user_id = NEW.user_id AND c.id = NEW.call_id FOR KEY SHARE;
    RETURN CASE WHEN v_forgotten IS NULL THEN NEW END;
END
$function$;

REVOKE ALL ON FUNCTION call_turns_forgotten() FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.calls_stay_forgotten()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    NEW.caller := NULL;
    NEW.summary := NULL;
    NEW.forgotten_at := OLD.forgotten_at;
    RETURN NEW;
END
$function$;

REVOKE ALL ON FUNCTION calls_stay_forgotten() FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_account_is_sound(a credit_accounts)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
BEGIN
    -- (No balance and no hold comes near 10^15; one that does is a bug.)
    IF (least(a.balance - a.held + a.grace_limit + a.clawback_debt, a.held, a.grace_limit, a.clawback_debt, a.spent_today,
              a.seq, a.day_limit, a.call_limit, a.caller_limit, a.low_balance) >= 0
        AND least(a.open_calls, a.max_open_calls) >= 0
        AND greatest(abs(a.balance), a.held, a.grace_limit, a.clawback_debt, a.low_balance) <= 1000000000000000) IS NOT FALSE THEN
        RETURN true;
    END IF;
    RAISE check_violation USING MESSAGE = 'the account of user ' || a.user_id || ' would not be sound',
        TABLE = 'credit_accounts', CONSTRAINT = 'ck_credit_accounts_' || CASE
            WHEN a.balance - a.held + a.grace_limit + a.clawback_debt < 0 THEN 'never_overspent'
            WHEN a.held < 0 THEN 'held'
            WHEN a.grace_limit < 0 THEN 'grace_limit'
            WHEN a.clawback_debt < 0 THEN 'clawback_debt'
            WHEN a.open_calls < 0 THEN 'open_calls'
            WHEN a.max_open_calls < 0 THEN 'max_open_calls'
            WHEN a.spent_today < 0 THEN 'spent_today'
            WHEN a.seq < 0 THEN 'seq'
            WHEN least(a.day_limit, a.call_limit, a.caller_limit) < 0 THEN 'guards'
            WHEN a.low_balance < 0 THEN 'low_balance'
            ELSE 'fence'
        END;
END
$function$;

CREATE OR REPLACE FUNCTION public.credit_cost(p_seconds bigint, p_rate bigint, p_fee bigint, p_initial integer, p_increment integer, p_free integer)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (p_seconds < GREATEST(p_free, 1)) THEN (0)::bigint ELSE (p_fee + (((p_rate * (p_initial + ((((GREATEST((p_seconds - p_initial), (0)::bigint) + p_increment) - 1) / p_increment) * p_increment))) + 59) / 60)) END;

CREATE OR REPLACE FUNCTION public.credit_day(p_user uuid, p_at timestamp with time zone)
 RETURNS TABLE(spent_on date, spent_until timestamp with time zone, spent_today bigint)
 LANGUAGE sql
 STABLE
AS $function$
    SELECT CASE WHEN a.spent_until > p_at THEN a.spent_on ELSE d.today END,
        CASE WHEN a.spent_until > p_at THEN a.spent_until ELSE (d.today + 1)::timestamp AT TIME ZONE d.zone END,
        -- (An account from before the end of the day was kept has its sum of today all the same.)
        CASE
            WHEN a.spent_until > p_at OR a.spent_until IS NULL AND a.spent_on = d.today THEN a.spent_today
            ELSE a.held
        END
    FROM credit_accounts a
    JOIN (SELECT u.id, u.zone, (p_at AT TIME ZONE u.zone)::date AS today FROM users u) d ON d.id = a.user_id
    WHERE a.user_id = p_user
$function$;

REVOKE ALL ON FUNCTION credit_day(p_user uuid, p_at timestamp with time zone) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_hold_is_sound(h credit_holds)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
BEGIN
    -- A closed hold and an open one look only at their own rules.
    IF h.settled_at IS NOT NULL THEN
        IF (h.held = 0 AND CASE WHEN h.denied_reason IS NULL THEN h.state IN ('SETTLED', 'RELEASED') ELSE h.state = 'DENIED' END
            AND least(h.charged, h.unbilled, h.charged + h.corrected) >= 0 AND h.charged + h.corrected <= h.held_peak
            AND least(h.granted_seconds, h.used_seconds, h.corrections) >= 0) IS NOT FALSE THEN
            RETURN true;
        END IF;
    ELSIF (h.denied_reason IS NULL AND CASE
            WHEN h.lost_at IS NOT NULL AND h.state = 'RECONCILE' THEN true
            WHEN h.lease_owner IS NOT NULL AND h.cut_at IS NOT NULL THEN h.state IN ('ACTIVE', 'FINAL', 'AUTHORISED')
            ELSE h.state = 'AUTHORISED'
        END
        AND least(h.held, h.charged, h.charged + h.corrected, h.unbilled) >= 0
        AND greatest(h.held, h.charged + h.corrected) <= h.held_peak
        AND least(h.granted_seconds, h.used_seconds, h.corrections) >= 0) IS NOT FALSE THEN
        RETURN true;
    END IF;
    RAISE check_violation USING MESSAGE = 'the hold of call ' || h.call_id || ' would not be sound',
        TABLE = 'credit_holds', CONSTRAINT = 'ck_credit_holds_' || CASE
            WHEN h.held NOT BETWEEN 0 AND h.held_peak THEN 'held'
            WHEN h.charged < 0 OR h.charged + h.corrected NOT BETWEEN 0 AND h.held_peak THEN 'charged'
            WHEN least(h.granted_seconds, h.used_seconds, h.corrections) < 0 OR h.unbilled < 0 THEN 'counts'
            WHEN (h.settled_at IS NOT NULL) <> (h.state IN ('DENIED', 'SETTLED', 'RELEASED')) THEN 'closed_is_settled'
            WHEN h.settled_at IS NOT NULL AND h.held <> 0 THEN 'closed_holds_nothing'
            WHEN h.state = 'RECONCILE' AND h.lost_at IS NULL THEN 'lost_at'
            WHEN (h.denied_reason IS NOT NULL) <> (h.state = 'DENIED') THEN 'denied_reason'
            ELSE 'active_is_owned'
        END;
END
$function$;

CREATE OR REPLACE FUNCTION public.credit_line_is_sound(t credit_transactions)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
BEGIN
    -- Each kind looks only at its own rules: the usage of a call, what somebody posted, and all others.
    IF t.call_id IS NOT NULL AND t.purchase_id IS NULL AND t.reference IS NULL AND t.reason IS NULL THEN
        IF (t.type IN ('CALL_USAGE', 'GRACE_USAGE') AND t.amount < 0 AND t.seq >= 1 AND octet_length(t.hash) = 32) IS NOT FALSE THEN
            RETURN true;
        END IF;
    ELSIF t.actor_id IS NOT NULL AND t.purchase_id IS NULL AND t.reference IS NOT NULL AND t.reason IS NOT NULL THEN
        IF (t.type = 'ADMIN_ADJUSTMENT' AND t.amount <> 0 AND t.seq >= 1 AND octet_length(t.hash) = 32
            AND '' NOT IN (t.reference, t.reason) AND length(t.reference) <= 200 AND length(t.reason) <= 1000) IS NOT FALSE THEN
            RETURN true;
        END IF;
    ELSIF (t.amount <> 0 AND t.seq >= 1 AND octet_length(t.hash) = 32
        AND length(t.reference) BETWEEN 1 AND 200 AND length(t.reason) BETWEEN 1 AND 1000
        AND CASE
            WHEN t.reference IS NULL AND t.purchase_id IS NULL
                THEN t.type IN ('CALL_USAGE', 'GRACE_USAGE') AND t.call_id IS NOT NULL AND t.amount < 0
            WHEN t.reference IS NULL THEN t.type = 'PURCHASE' AND t.amount > 0
            WHEN t.purchase_id IS NULL THEN t.type = 'ADMIN_ADJUSTMENT' AND t.reason IS NOT NULL
                AND (t.actor_id IS NOT NULL OR t.reference ~ '^(correction|rent):')
            ELSE t.type IN ('REFUND', 'DISPUTE')
        END) IS NOT FALSE THEN
        RETURN true;
    END IF;
    RAISE check_violation USING MESSAGE = 'line ' || t.seq || ' of user ' || t.user_id || ' would not be sound',
        TABLE = 'credit_transactions', CONSTRAINT = 'ck_credit_transactions_' || CASE
            WHEN t.amount = 0 THEN 'amount'
            WHEN t.seq < 1 THEN 'seq'
            WHEN octet_length(t.hash) <> 32 THEN 'hash'
            WHEN length(t.reference) NOT BETWEEN 1 AND 200 OR length(t.reason) NOT BETWEEN 1 AND 1000 THEN 'texts'
            WHEN t.type IN ('CALL_USAGE', 'GRACE_USAGE') THEN 'usage_has_call'
            WHEN t.type = 'PURCHASE' THEN 'purchase_has_purchase'
            WHEN t.type IN ('REFUND', 'DISPUTE') THEN 'reversal_has_purchase'
            WHEN t.reference IS NULL OR t.reason IS NULL THEN 'adjustment_has_reference'
            ELSE 'adjustment_has_actor'
        END;
END
$function$;

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
        greeting = '-', instructions = '', knowledge = '[]', phrases = '[]', tools = '[]', fallback = '{}'
    WHERE v.user_id = p_user;
END
$function$;

REVOKE ALL ON FUNCTION empty_agents_v1(p_user uuid) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.extend_v1(p_user uuid, p_call uuid, p_owner text, p_request_no integer, p_slice_seconds integer DEFAULT 60, OUT extended boolean, OUT state hold_state, OUT granted_seconds integer, OUT cut_at timestamp with time zone, OUT held bigint, OUT reason text)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    r record;
    v_waited boolean;
    v_now timestamptz;
    v_free bigint;
    v_room bigint;
    v_guard text;
BEGIN
    IF (p_user = nullif(current_setting('talktime.user_id', true), '')::uuid
        AND p_request_no >= 1 AND p_slice_seconds BETWEEN 1 AND 3600) IS NOT TRUE THEN
        PERFORM assert_tenant(p_user);
        IF (p_request_no >= 1 AND p_slice_seconds BETWEEN 1 AND 3600) IS NOT TRUE THEN
            RAISE EXCEPTION 'a request has a number from 1 up, and a slice 1 to 3600 seconds' USING ERRCODE = 'TT422';
        END IF;
    END IF;
    LOOP
        -- The account is locked first, then the hold.
        SELECT a.ctid AS account_at, h.ctid AS hold_at, greatest(0, a.balance - a.held + a.grace_limit) AS free, a.clawback_debt,
            a.blocked_reason, a.day_limit IS NOT NULL OR a.call_limit IS NOT NULL OR a.caller_limit IS NOT NULL AS guarded,
            a.spent_until, h.state, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, h.granted_seconds,
            h.held, h.request_no, h.final_reason, h.lease_owner, h.cut_at, h.cut_claimed_at, h.settled_at
        INTO r
        FROM credit_accounts a JOIN credit_holds h ON h.user_id = a.user_id AND h.call_id = p_call
        WHERE a.user_id = p_user FOR NO KEY UPDATE OF a, h;
        EXIT WHEN FOUND;
        IF v_waited THEN
            RAISE EXCEPTION 'no hold for call %', p_call USING ERRCODE = 'TT404';
        END IF;
        PERFORM credit_lock(p_user);
        v_waited := true;
    END LOOP;
    -- A call that rings has no owner, and nobody is not its owner either.
    IF r.lease_owner IS DISTINCT FROM p_owner OR p_owner IS NULL THEN
        RAISE EXCEPTION 'call % is owned by another process', p_call USING ERRCODE = 'TT410';
    END IF;
    state := r.state;
    granted_seconds := r.granted_seconds;
    cut_at := r.cut_at;
    held := r.held;
    IF r.settled_at IS NOT NULL OR p_request_no <= r.request_no OR r.cut_claimed_at IS NOT NULL THEN
        extended := false;
        reason := CASE
            WHEN r.settled_at IS NOT NULL THEN 'over'
            WHEN p_request_no = r.request_no THEN 'repeated'
            WHEN p_request_no < r.request_no THEN 'stale'
            ELSE 'cut'
        END;
        RETURN;
    END IF;

    v_now := clock_timestamp();
    v_free := r.free;
    IF r.guarded THEN
        SELECT g.room, g.guard INTO v_room, v_guard
        FROM credit_accounts a CROSS JOIN LATERAL credit_room(credit_spend(a, 0), p_call, r.held) g WHERE a.user_id = p_user;
        IF v_room < v_free THEN
            v_free := greatest(v_room, 0);
        ELSE
            v_guard := NULL;
        END IF;
    END IF;
    IF r.blocked_reason IS NOT NULL OR r.clawback_debt > 0 THEN
        state := 'FINAL';
        reason := CASE WHEN r.blocked_reason IS NOT NULL THEN 'blocked' ELSE 'debt' END;
    ELSE
        granted_seconds := r.granted_seconds + credit_steps(p_slice_seconds, r.increment_seconds);
        held := credit_cost(
            granted_seconds, r.credits_per_minute, r.connection_fee, r.initial_seconds, r.increment_seconds, 0
        );
        state := 'ACTIVE';
        IF held - r.held > v_free THEN
            granted_seconds := greatest(r.granted_seconds, credit_affords(
                r.held + v_free, r.credits_per_minute, r.connection_fee, r.initial_seconds, r.increment_seconds
            ));
            held := greatest(r.held, credit_cost(
                granted_seconds, r.credits_per_minute, r.connection_fee, r.initial_seconds, r.increment_seconds, 0
            ));
            state := 'FINAL';
            reason := coalesce(v_guard, 'no_credit');
            IF v_guard IS NOT NULL AND reason IS DISTINCT FROM r.final_reason THEN
                PERFORM credit_tell_refused(a, p_call, 'guard_reached', v_guard) FROM credit_accounts a WHERE a.user_id = p_user;
            END IF;
        END IF;
    END IF;
    extended := granted_seconds > r.granted_seconds;
    cut_at := r.cut_at + (granted_seconds - r.granted_seconds) * interval '1 second';
    UPDATE credit_holds SET
        state = extend_v1.state, granted_seconds = extend_v1.granted_seconds, held = extend_v1.held,
        held_peak = greatest(held_peak, extend_v1.held), cut_at = extend_v1.cut_at, request_no = p_request_no,
        final_reason = extend_v1.reason, lease_until = v_now + interval '45 seconds', lost_at = NULL
    WHERE ctid = r.hold_at;
    -- (Who has debt got nothing, so debt stays as it is. An owner that was away longer than its lease and is back has its slot
    -- again: it was given up, the money is still here.)
    IF r.spent_until > v_now THEN
        UPDATE credit_accounts SET
            held = held + (extend_v1.held - r.held),
            open_calls = open_calls + CASE WHEN r.state = 'RECONCILE' THEN 1 ELSE 0 END,
            spent_today = greatest(0, spent_today + extend_v1.held - r.held)
        WHERE ctid = r.account_at;
    ELSE
        UPDATE credit_accounts a SET
            held = a.held + (extend_v1.held - r.held),
            open_calls = a.open_calls + CASE WHEN r.state = 'RECONCILE' THEN 1 ELSE 0 END,
            spent_on = d.spent_on, spent_until = d.spent_until, spent_today = greatest(0, d.spent_today + extend_v1.held - r.held)
        FROM credit_day(p_user, v_now) d WHERE a.ctid = r.account_at;
    END IF;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the account of user % moved under its lock', p_user;
    END IF;
END
$function$;

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
    RETURN v_fresh;
END
$function$;

REVOKE ALL ON FUNCTION forget_calls_v1(p_user uuid, p_calls uuid[], p_number text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.forget_reports_v1(p_user uuid, p_after uuid, p_most integer, OUT last uuid, OUT emptied bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    PERFORM assert_tenant(p_user);
    WITH page AS (
        SELECT e.id, e.provider, e.event_id, e.kind FROM provider_events e
        WHERE e.id > p_after ORDER BY e.id LIMIT p_most
    ), changed AS (
        UPDATE provider_events e SET body = report_without_people(e.body)
        FROM page p CROSS JOIN LATERAL call_of_event(p.provider, p.event_id) d
            JOIN calls c ON c.user_id = d.user_id AND c.id = d.call_id
        WHERE e.id = p.id AND p.kind = 'carrier.report' AND c.forgotten_at IS NOT NULL
            AND (p_user IS NULL OR d.user_id = p_user) AND e.body <> report_without_people(e.body)
        RETURNING 1
    )
    SELECT (SELECT p.id FROM page p ORDER BY p.id DESC LIMIT 1), (SELECT count(*) FROM changed) INTO last, emptied;
END
$function$;

REVOKE ALL ON FUNCTION forget_reports_v1(p_user uuid, p_after uuid, p_most integer, OUT last uuid, OUT emptied bigint) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.legs_are_forgotten()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    SELECT c.forgotten_at INTO NEW.forgotten_at FROM calls c
    WHERE c.user_id = NEW.user_id AND c.id = NEW.parent_id;
    RETURN NEW;
END
$function$;

REVOKE ALL ON FUNCTION legs_are_forgotten() FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.post_many_v1(p_users uuid[], p_references text[], p_amounts bigint[], p_reasons text[], p_actor uuid, p_as_debt boolean DEFAULT false)
 RETURNS TABLE(user_id uuid, reference text, fresh boolean, seq bigint, amount bigint, balance_after bigint)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    v_size integer := cardinality(p_users);
    v_now timestamptz;
    v_bad text;
    v_accounts credit_accounts[];
    v_known credit_transactions[];
    v_lines credit_transactions[];
BEGIN
    IF v_size IS NULL OR v_size NOT BETWEEN 1 AND 10000 OR cardinality(p_references) IS DISTINCT FROM v_size
        OR cardinality(p_amounts) IS DISTINCT FROM v_size OR cardinality(p_reasons) IS DISTINCT FROM v_size
        OR array_position(p_users, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'a batch is 1 to 10,000 items, each with a user, a reference, an amount and a reason'
            USING ERRCODE = 'TT422';
    END IF;
    SELECT CASE
        WHEN p_actor IS NULL OR coalesce(i.reference, '') !~ '\S' OR coalesce(i.reason, '') !~ '\S'
            THEN format('item %s: an adjustment needs a reference, a reason and who makes it', i.place)
        WHEN i.reference ~ '^(correction|rent|refund|dispute|payout):'
            THEN format('item %s: references beginning with %s are the system''s own', i.place, split_part(i.reference, ':', 1))
        ELSE format('item %s: an adjustment is 1 to 1,000,000,000,000 credits either way, not %s', i.place, i.amount)
    END INTO v_bad
    FROM unnest(p_references, p_amounts, p_reasons) WITH ORDINALITY i (reference, amount, reason, place)
    -- (A pattern costs more than all else of an item; words that begin with a visible sign need none.)
    WHERE p_actor IS NULL
        OR (ascii(i.reference) BETWEEN 33 AND 126 OR i.reference ~ '\S') IS NOT TRUE
        OR (ascii(i.reason) BETWEEN 33 AND 126 OR i.reason ~ '\S') IS NOT TRUE
        OR strpos(i.reference, ':') > 0 AND i.reference ~ '^(correction|rent|refund|dispute|payout):'
        OR i.amount IS NULL OR i.amount = 0 OR i.amount NOT BETWEEN -1000000000000 AND 1000000000000
    ORDER BY i.place LIMIT 1;
    IF v_bad IS NOT NULL THEN
        RAISE EXCEPTION '%', v_bad USING ERRCODE = 'TT422';
    END IF;
    v_accounts := credit_lock_many(p_users);

    -- What stands in the ledgers already. Nearly always that is nothing, and then nothing more is asked about it.
    SELECT array_agg(t) INTO v_known
    FROM unnest(p_users, p_references) i (user_id, reference)
    JOIN credit_transactions t ON t.user_id = i.user_id AND t.reference = i.reference;
    IF v_known IS NULL AND cardinality(v_accounts) = v_size AND (p_as_debt OR NOT 0 > ANY (p_amounts)) IS TRUE THEN
        -- Each is another customer's, and nothing is taken that might not be free: no line follows another of the batch.
        v_now := clock_timestamp();
        RETURN QUERY
        WITH line AS MATERIALIZED (
            SELECT i.place, i.user_id, a.seq + 1 AS seq, i.amount, a.balance + i.amount AS balance_after, i.reference, i.reason,
                a.low_balance, credit_line_hash(
                    a.head, i.user_id, a.seq + 1, 'ADMIN_ADJUSTMENT', i.amount, a.balance + i.amount, NULL, NULL, i.reference,
                    i.reason, p_actor, v_now
                ) AS hash
            FROM unnest(p_users, p_references, p_amounts, p_reasons) WITH ORDINALITY i (user_id, reference, amount, reason, place)
            JOIN unnest(v_accounts) a ON a.user_id = i.user_id
        ), low AS (
            INSERT INTO notices (user_id, id, kind, subject, detail)
            SELECT l.user_id, gen_random_uuid(), 'low_balance', l.seq::text,
                jsonb_build_object('balance', l.balance_after, 'threshold', l.low_balance)
            FROM line l WHERE l.low_balance > l.balance_after AND l.low_balance <= l.balance_after - l.amount
            ON CONFLICT DO NOTHING
        ), stored AS (
            UPDATE credit_accounts a SET balance = l.balance_after, seq = l.seq, head = l.hash,
                clawback_debt = greatest(0, a.held - a.grace_limit - l.balance_after)
            FROM line l WHERE a.user_id = l.user_id
        ), posted AS (
            INSERT INTO credit_transactions (
                user_id, seq, type, amount, balance_after, reference, reason, actor_id, created_at, hash
            )
            SELECT l.user_id, l.seq, 'ADMIN_ADJUSTMENT', l.amount, l.balance_after, l.reference, l.reason, p_actor, v_now, l.hash
            FROM line l
        )
        SELECT l.user_id, l.reference, true, l.seq, l.amount, l.balance_after FROM line l ORDER BY l.place;
        RETURN;
    END IF;
    IF v_known IS NOT NULL THEN
        SELECT format('item %s: reference %s was used for another line', i.place, i.reference) INTO v_bad
        FROM unnest(p_users, p_references, p_amounts, p_reasons) WITH ORDINALITY i (user_id, reference, amount, reason, place)
        JOIN unnest(v_known) t ON t.user_id = i.user_id AND t.reference = i.reference
        WHERE t.type <> 'ADMIN_ADJUSTMENT' OR t.amount <> i.amount OR t.reason <> i.reason OR t.actor_id IS DISTINCT FROM p_actor
        ORDER BY i.place LIMIT 1;
        IF v_bad IS NOT NULL THEN
            RAISE EXCEPTION '%', v_bad USING ERRCODE = 'TT409';
        END IF;
    END IF;
    SELECT format('reference %s stands twice in the batch, for different lines', i.reference) INTO v_bad
    FROM unnest(p_users, p_references, p_amounts, p_reasons) i (user_id, reference, amount, reason)
    GROUP BY i.user_id, i.reference HAVING min(i.amount) <> max(i.amount) OR min(i.reason) <> max(i.reason) LIMIT 1;
    IF v_bad IS NOT NULL THEN
        RAISE EXCEPTION '%', v_bad USING ERRCODE = 'TT409';
    END IF;

    -- A reference that stands twice is one line, in the place of the first.
    SELECT array_agg(ROW(
        i.user_id, i.place, 'ADMIN_ADJUSTMENT', i.amount, 0, NULL, NULL, i.reference, i.reason, p_actor, NULL, NULL
    )::credit_transactions) INTO v_lines
    FROM (
        SELECT x.user_id, x.reference, min(x.place) AS place, min(x.amount) AS amount, min(x.reason) AS reason
        FROM unnest(p_users, p_references, p_amounts, p_reasons) WITH ORDINALITY x (user_id, reference, amount, reason, place)
        GROUP BY x.user_id, x.reference
    ) i
    WHERE v_known IS NULL OR NOT EXISTS (
        SELECT FROM unnest(v_known) t WHERE t.user_id = i.user_id AND t.reference = i.reference
    );

    IF p_as_debt IS NOT TRUE AND 0 > ANY (p_amounts) THEN
        SELECT format('item %s: only %s credits are free to be taken, not %s', r.seq, greatest(0, r.free - r.amount), -r.amount)
        INTO v_bad
        FROM (
            SELECT l.seq, l.amount, a.balance - a.held + sum(l.amount) OVER (PARTITION BY l.user_id ORDER BY l.seq) AS free
            FROM unnest(v_lines) l JOIN unnest(v_accounts) a ON a.user_id = l.user_id
        ) r
        WHERE r.amount < 0 AND r.free < 0 ORDER BY r.seq LIMIT 1;
        IF v_bad IS NOT NULL THEN
            RAISE EXCEPTION '%', v_bad USING ERRCODE = 'TT402';
        END IF;
    END IF;

    RETURN QUERY
    WITH posted AS (
        SELECT t.user_id, t.reference, true AS fresh, t.seq, t.amount, t.balance_after
        FROM credit_append_many(v_accounts, v_lines) t
        UNION ALL
        SELECT DISTINCT t.user_id, t.reference, false, t.seq, t.amount, t.balance_after FROM unnest(v_known) t
    )
    SELECT i.user_id, i.reference, p.fresh AND i.nth = 1, p.seq, p.amount, p.balance_after
    FROM (
        SELECT x.*, row_number() OVER (PARTITION BY x.user_id, x.reference ORDER BY x.place) AS nth
        FROM unnest(p_users, p_references) WITH ORDINALITY x (user_id, reference, place)
    ) i
    JOIN posted p ON p.user_id = i.user_id AND p.reference = i.reference
    ORDER BY i.place;
END
$function$;

CREATE OR REPLACE FUNCTION public.redact_calls_v1(p_user uuid, p_after uuid, p_most integer, p_pattern text, p_word text, OUT last uuid, OUT changed bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_calls uuid[];
    v_more bigint;
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT array_agg(c.id ORDER BY c.id) INTO v_calls FROM (
        SELECT c.id FROM calls c WHERE c.user_id = p_user AND c.id > p_after ORDER BY c.id LIMIT p_most
    ) c;
    last := v_calls[cardinality(v_calls)];
    UPDATE calls c SET summary = regexp_replace(c.summary, p_pattern, p_word, 'g')
    WHERE c.user_id = p_user AND c.id = ANY (v_calls) AND c.summary ~ p_pattern;
    GET DIAGNOSTICS changed = ROW_COUNT;
    UPDATE call_turns t SET
        text = regexp_replace(t.text, p_pattern, p_word, 'g'),
        tools = redacted(t.tools, p_pattern, p_word),
        sources = redacted(t.sources, p_pattern, p_word)
    WHERE t.user_id = p_user AND t.call_id = ANY (v_calls)
        AND (t.text ~ p_pattern OR t.tools::text ~ p_pattern OR t.sources::text ~ p_pattern);
    GET DIAGNOSTICS v_more = ROW_COUNT;
    UPDATE charge_claims k SET note = regexp_replace(k.note, p_pattern, p_word, 'g')
    WHERE k.user_id = p_user AND k.call_id = ANY (v_calls) AND k.note ~ p_pattern;
    changed := changed + v_more;
END
$function$;

REVOKE ALL ON FUNCTION redact_calls_v1(p_user uuid, p_after uuid, p_most integer, p_pattern text, p_word text, OUT last uuid, OUT changed bigint) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.redact_notices_v1(p_user uuid, p_pattern text, p_word text)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_changed bigint;
BEGIN
    PERFORM assert_tenant(p_user);
    UPDATE notices n SET detail = redacted(n.detail, p_pattern, p_word)
    WHERE n.user_id = p_user AND n.detail::text ~ p_pattern;
    GET DIAGNOSTICS v_changed = ROW_COUNT;
    RETURN v_changed;
END
$function$;

REVOKE ALL ON FUNCTION redact_notices_v1(p_user uuid, p_pattern text, p_word text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.redacted(p_value jsonb, p_pattern text, p_word text)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    IF p_value IS NULL OR p_value::text !~ p_pattern THEN
        RETURN p_value;
    END IF;
    RETURN CASE jsonb_typeof(p_value)
        WHEN 'string' THEN to_jsonb(regexp_replace(p_value #>> '{}', p_pattern, p_word, 'g'))
        WHEN 'number' THEN 'null'::jsonb
        WHEN 'array' THEN (
            SELECT coalesce(jsonb_agg(redacted(e.value, p_pattern, p_word) ORDER BY e.place), '[]'::jsonb)
            FROM jsonb_array_elements(p_value) WITH ORDINALITY AS e (value, place)
        )
        WHEN 'object' THEN (
            SELECT coalesce(jsonb_object_agg(e.key, redacted(e.value, p_pattern, p_word)), '{}'::jsonb)
            FROM jsonb_each(p_value) AS e
        )
        ELSE p_value
    END;
END
$function$;

REVOKE ALL ON FUNCTION redacted(p_value jsonb, p_pattern text, p_word text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.report_without_people(p_body bytea)
 RETURNS bytea
 LANGUAGE sql
 STABLE PARALLEL SAFE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
    SELECT coalesce(decode(string_agg(f.field, '&' ORDER BY f.place), 'escape'), ''::bytea)
    FROM regexp_split_to_table(encode(p_body, 'escape'), '&') WITH ORDINALITY AS f (field, place)
    WHERE split_part(f.field, '=', 1) IN (
        'AccountSid', 'ApiVersion', 'CallDuration', 'CallSid', 'CallStatus', 'CallbackSource', 'DialCallDuration',
        'DialCallSid', 'DialCallStatus', 'Direction', 'Duration', 'ParentCallSid', 'SequenceNumber', 'Timestamp'
    )
$function$;

REVOKE ALL ON FUNCTION report_without_people(p_body bytea) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.reports_forget()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_user uuid;
    v_call uuid;
    v_forgotten timestamptz;
BEGIN
    SELECT z.user_id, z.call_id INTO v_user, v_call FROM call_of_event(NEW.provider, NEW.event_id) z;
    SELECT c.forgotten_at INTO v_forgotten FROM calls c WHERE c.user_id = v_user AND c.id = v_call FOR KEY SHARE;
    IF NOT FOUND OR v_forgotten IS NOT NULL THEN
        NEW.body := report_without_people(NEW.body);
    END IF;
    RETURN NEW;
END
$function$;

REVOKE ALL ON FUNCTION reports_forget() FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.settle_v1(p_user uuid, p_call uuid, p_seconds integer, p_not_charged_reason text DEFAULT NULL::text, OUT fresh boolean, OUT state hold_state, OUT charged bigint, OUT unbilled bigint, OUT balance bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    v_account_at tid;
    v_hold_at tid;
    v_now timestamptz;
    v_unusual boolean;
    v_balance bigint;
    v_low_balance bigint;
    v_held bigint;
    v_opened integer;
    v_rated bigint;
    v_waited boolean;
    v_usage bigint;
    v_seq bigint;
    v_head bytea;
BEGIN
    IF (p_user = nullif(current_setting('talktime.user_id', true), '')::uuid
        AND p_seconds BETWEEN 0 AND 1000000 AND p_not_charged_reason IS NULL) IS NOT TRUE THEN
        PERFORM assert_tenant(p_user);
        IF (p_seconds BETWEEN 0 AND 1000000) IS NOT TRUE THEN
            RAISE EXCEPTION 'a call lasts 0 to 1,000,000 seconds, not %', p_seconds USING ERRCODE = 'TT422';
        END IF;
        IF p_not_charged_reason NOT IN ('platform_fault', 'wrong_number', 'spam', 'not_a_call') THEN
            RAISE EXCEPTION 'a call is not charged because of platform_fault, wrong_number, spam or not_a_call' USING ERRCODE = 'TT422';
        END IF;
    END IF;
    LOOP
        -- The account is locked first, then the hold; a locked row stays where it is, and is written there below. A call that
        -- nobody ever owned was never answered, and costs nothing whatever anybody measured.
        SELECT h.settled_at IS NULL,
            CASE WHEN h.lease_owner IS NULL THEN hold_state 'RELEASED' ELSE 'SETTLED' END, a.seq, a.head,
            a.ctid, h.ctid, clock_timestamp(), (a.spent_until > clock_timestamp()) IS NOT TRUE OR a.clawback_debt > 0,
            a.balance, a.low_balance, h.held,
            CASE WHEN h.state IN ('AUTHORISED', 'ACTIVE', 'FINAL') THEN 1 ELSE 0 END,
            CASE WHEN h.lease_owner IS NULL OR p_not_charged_reason IS NOT NULL THEN 0 ELSE credit_cost(
                p_seconds, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, h.free_seconds
            ) END
        INTO fresh, state, v_seq, v_head, v_account_at, v_hold_at, v_now, v_unusual, v_balance, v_low_balance, v_held, v_opened,
            v_rated
        FROM credit_accounts a JOIN credit_holds h ON h.user_id = a.user_id AND h.call_id = p_call
        WHERE a.user_id = p_user FOR NO KEY UPDATE OF a, h;
        EXIT WHEN FOUND;
        IF v_waited THEN
            RAISE EXCEPTION 'no hold for call %', p_call USING ERRCODE = 'TT404';
        END IF;
        -- Perhaps it is being authorised at this moment: wait for that to end.
        PERFORM credit_lock(p_user);
        v_waited := true;
    END LOOP;
    IF NOT fresh THEN
        SELECT h.state, h.charged, h.unbilled, v_balance INTO state, charged, unbilled, balance
        FROM credit_holds h WHERE h.ctid = v_hold_at;
        RETURN;
    END IF;

    charged := least(v_rated, v_held);
    unbilled := v_rated - charged;
    balance := v_balance - charged;
    v_usage := least(charged, greatest(v_balance, 0));
    IF v_usage > 0 THEN
        v_seq := v_seq + 1;
        v_head := credit_line_hash(v_head, p_user, v_seq, 'CALL_USAGE', -v_usage, v_balance - v_usage, p_call, NULL, NULL, NULL,
                                   NULL, v_now);
        INSERT INTO credit_transactions (user_id, seq, type, amount, balance_after, call_id, created_at, hash)
        VALUES (p_user, v_seq, 'CALL_USAGE', -v_usage, v_balance - v_usage, p_call, v_now, v_head);
    END IF;
    IF charged > v_usage THEN
        v_seq := v_seq + 1;
        v_head := credit_line_hash(v_head, p_user, v_seq, 'GRACE_USAGE', v_usage - charged, balance, p_call, NULL, NULL, NULL,
                                   NULL, v_now);
        INSERT INTO credit_transactions (user_id, seq, type, amount, balance_after, call_id, created_at, hash)
        VALUES (p_user, v_seq, 'GRACE_USAGE', v_usage - settle_v1.charged, settle_v1.balance, p_call, v_now, v_head);
    END IF;
    UPDATE credit_holds SET
        state = settle_v1.state, held = 0, charged = settle_v1.charged, unbilled = settle_v1.unbilled, settled_at = v_now,
        settled_seconds = p_seconds, not_charged_reason = p_not_charged_reason
    WHERE ctid = v_hold_at;
    IF v_unusual THEN
        -- The day turns, or there is debt, which credits that are free again pay.
        UPDATE credit_accounts a SET
            balance = settle_v1.balance, held = a.held - v_held, seq = v_seq, head = v_head,
            open_calls = a.open_calls - v_opened, spent_on = d.spent_on, spent_until = d.spent_until,
            spent_today = greatest(0, d.spent_today + settle_v1.charged - v_held),
            clawback_debt = least(a.clawback_debt, greatest(0, -a.grace_limit - (settle_v1.balance - (a.held - v_held))))
        FROM credit_day(p_user, v_now) d WHERE a.ctid = v_account_at;
    ELSE
        UPDATE credit_accounts SET
            balance = settle_v1.balance, held = held - v_held, seq = v_seq, head = v_head, open_calls = open_calls - v_opened,
            spent_today = greatest(0, spent_today + settle_v1.charged - v_held)
        WHERE ctid = v_account_at;
    END IF;
    IF NOT FOUND OR unbilled > 0 OR v_low_balance > balance THEN
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the account of user % moved under its lock', p_user;
        END IF;
        IF unbilled > 0 THEN
            PERFORM credit_alert(p_user, 'call_unbilled', jsonb_build_object('call_id', p_call, 'credits', settle_v1.unbilled));
        END IF;
        IF v_low_balance > balance AND v_low_balance <= v_balance THEN
            PERFORM credit_notice(p_user, 'low_balance', v_seq::text, jsonb_build_object(
                'balance', settle_v1.balance, 'threshold', v_low_balance
            ));
        END IF;
    END IF;
END
$function$;

CREATE OR REPLACE FUNCTION public.throttle_forgive_v1(p_key bytea)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
    UPDATE throttles t SET level = greatest(0, t.level - 1) WHERE t.key = p_key
$function$;

REVOKE ALL ON FUNCTION throttle_forgive_v1(p_key bytea) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.throttle_v1(p_key bytea, p_size double precision, p_leak_seconds double precision)
 RETURNS double precision
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

REVOKE ALL ON FUNCTION throttle_v1(p_key bytea, p_size double precision, p_leak_seconds double precision) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.verify_audit_range_v1(p_first uuid, p_last uuid)
 RETURNS TABLE(user_id uuid, seq bigint, problem text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
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
$function$;

REVOKE ALL ON FUNCTION verify_audit_range_v1(p_first uuid, p_last uuid) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.verify_audit_v1(p_user uuid DEFAULT NULL::uuid)
 RETURNS TABLE(user_id uuid, seq bigint, problem text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
    SELECT * FROM verify_audit_range_v1(
        coalesce(p_user, '00000000-0000-0000-0000-000000000000'), coalesce(p_user, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    )
$function$;

REVOKE ALL ON FUNCTION verify_audit_v1(p_user uuid) FROM PUBLIC;
ALTER TABLE account_links ADD CONSTRAINT pk_account_links PRIMARY KEY (id);
ALTER TABLE account_links ADD CONSTRAINT uq_account_links_token_hash UNIQUE (token_hash);
ALTER TABLE api_keys ADD CONSTRAINT pk_api_keys PRIMARY KEY (id);
ALTER TABLE api_keys ADD CONSTRAINT uq_api_keys_key_hash UNIQUE (key_hash);
ALTER TABLE audit_entries ADD CONSTRAINT pk_audit_entries PRIMARY KEY (user_id, seq);
ALTER TABLE audit_heads ADD CONSTRAINT pk_audit_heads PRIMARY KEY (user_id);
ALTER TABLE recovery_codes ADD CONSTRAINT pk_recovery_codes PRIMARY KEY (user_id, code_hash);
ALTER TABLE throttles ADD CONSTRAINT pk_throttles PRIMARY KEY (key);
ALTER TABLE account_links ADD CONSTRAINT ck_account_links_email CHECK (((email IS NOT NULL) OR (purpose <> ALL (ARRAY['SIGN_UP'::link_purpose, 'CHANGE_EMAIL'::link_purpose]))));
ALTER TABLE account_links ADD CONSTRAINT ck_account_links_expires_later CHECK ((expires_at > created_at));
ALTER TABLE account_links ADD CONSTRAINT ck_account_links_role CHECK (((role IS NOT NULL) = (purpose = 'INVITE'::link_purpose)));
ALTER TABLE account_links ADD CONSTRAINT ck_account_links_token_hash CHECK ((octet_length(token_hash) = 32));
ALTER TABLE account_links ADD CONSTRAINT ck_account_links_user CHECK (((user_id IS NULL) = (purpose = ANY (ARRAY['SIGN_UP'::link_purpose, 'INVITE'::link_purpose]))));
ALTER TABLE api_keys ADD CONSTRAINT ck_api_keys_key_hash CHECK ((octet_length(key_hash) = 32));
ALTER TABLE api_keys ADD CONSTRAINT ck_api_keys_name CHECK (((length(name) >= 1) AND (length(name) <= 80)));
ALTER TABLE api_keys ADD CONSTRAINT ck_api_keys_scopes CHECK ((cardinality(scopes) > 0));
ALTER TABLE audit_entries ADD CONSTRAINT ck_audit_entries_act CHECK ((act ~ '^[a-z_]+[.][a-z_]+$'::text));
ALTER TABLE audit_entries ADD CONSTRAINT ck_audit_entries_door CHECK ((door = ANY (ARRAY['web'::text, 'api'::text, 'command'::text, 'worker'::text])));
ALTER TABLE audit_entries ADD CONSTRAINT ck_audit_entries_hash CHECK ((octet_length(hash) = 32));
ALTER TABLE audit_entries ADD CONSTRAINT ck_audit_entries_seq CHECK ((seq > 0));
ALTER TABLE recovery_codes ADD CONSTRAINT ck_recovery_codes_code_hash CHECK ((octet_length(code_hash) = 32));
ALTER TABLE throttles ADD CONSTRAINT ck_throttles_key CHECK ((octet_length(key) = 32));
ALTER TABLE throttles ADD CONSTRAINT ck_throttles_level CHECK ((level >= (0)::double precision));
ALTER TABLE users ADD CONSTRAINT ck_users_totp CHECK (((totp_since IS NULL) OR (totp_secret IS NOT NULL)));
CREATE INDEX ix_account_links_expires_at ON public.account_links USING btree (expires_at);
CREATE INDEX ix_account_links_user_id ON public.account_links USING btree (user_id);
CREATE INDEX ix_api_keys_user_id ON public.api_keys USING btree (user_id);
CREATE INDEX ix_audit_entries_actor_id ON public.audit_entries USING btree (actor_id);
CREATE INDEX ix_audit_entries_at ON public.audit_entries USING btree (at);
CREATE INDEX ix_throttles_updated_at ON public.throttles USING btree (updated_at);
ALTER TABLE account_links ADD CONSTRAINT fk_account_links_made_by FOREIGN KEY (made_by) REFERENCES users(id);
ALTER TABLE account_links ADD CONSTRAINT fk_account_links_user_id FOREIGN KEY (user_id) REFERENCES users(id);
ALTER TABLE api_keys ADD CONSTRAINT fk_api_keys_user_id FOREIGN KEY (user_id) REFERENCES users(id);
ALTER TABLE audit_entries ADD CONSTRAINT fk_audit_entries_actor_id FOREIGN KEY (actor_id) REFERENCES users(id);
ALTER TABLE audit_entries ADD CONSTRAINT fk_audit_entries_user_id FOREIGN KEY (user_id) REFERENCES users(id);
ALTER TABLE audit_heads ADD CONSTRAINT fk_audit_heads_user_id FOREIGN KEY (user_id) REFERENCES users(id);
ALTER TABLE recovery_codes ADD CONSTRAINT fk_recovery_codes_user_id FOREIGN KEY (user_id) REFERENCES users(id);
ALTER TABLE sessions ADD CONSTRAINT fk_sessions_actor_id FOREIGN KEY (actor_id) REFERENCES users(id);
CREATE TRIGGER audit_entries_no_truncate BEFORE TRUNCATE ON public.audit_entries FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_stay();
CREATE TRIGGER audit_entries_stay BEFORE DELETE OR UPDATE ON public.audit_entries FOR EACH ROW EXECUTE FUNCTION audit_entries_stay();
CREATE TRIGGER audit_heads_no_truncate BEFORE TRUNCATE ON public.audit_heads FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_stay();
CREATE TRIGGER audit_heads_stay BEFORE DELETE ON public.audit_heads FOR EACH ROW EXECUTE FUNCTION audit_entries_stay();
CREATE TRIGGER call_turns_forgotten BEFORE INSERT ON public.call_turns FOR EACH ROW EXECUTE FUNCTION call_turns_forgotten();
CREATE TRIGGER calls_stay_forgotten BEFORE UPDATE OF caller, summary, forgotten_at ON public.calls FOR EACH ROW WHEN ((old.forgotten_at IS NOT NULL)) EXECUTE FUNCTION calls_stay_forgotten();
CREATE TRIGGER legs_are_forgotten BEFORE INSERT ON public.calls FOR EACH ROW WHEN ((new.parent_id IS NOT NULL)) EXECUTE FUNCTION legs_are_forgotten();
CREATE TRIGGER reports_forget BEFORE INSERT ON public.provider_events FOR EACH ROW WHEN ((new.kind = 'carrier.report'::text)) EXECUTE FUNCTION reports_forget();
CREATE POLICY everyone ON audit_entries AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON audit_entries AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON audit_heads AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON audit_heads AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON recovery_codes AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON recovery_codes AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
GRANT EXECUTE ON FUNCTION audit_hash(p_previous bytea, p_user uuid, p_seq bigint, p_at timestamp with time zone, p_actor uuid, p_act text, p_before jsonb, p_after jsonb, p_door text, p_network text) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION audit_v1(p_user uuid, p_actor uuid, p_act text, p_before jsonb, p_after jsonb, p_door text, p_network text) TO talktime;
GRANT EXECUTE ON FUNCTION audit_v1(p_user uuid, p_actor uuid, p_act text, p_before jsonb, p_after jsonb, p_door text, p_network text) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION empty_agents_v1(p_user uuid) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION forget_calls_v1(p_user uuid, p_calls uuid[], p_number text) TO talktime;
GRANT EXECUTE ON FUNCTION forget_calls_v1(p_user uuid, p_calls uuid[], p_number text) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION forget_reports_v1(p_user uuid, p_after uuid, p_most integer, OUT last uuid, OUT emptied bigint) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION redact_calls_v1(p_user uuid, p_after uuid, p_most integer, p_pattern text, p_word text, OUT last uuid, OUT changed bigint) TO talktime;
GRANT EXECUTE ON FUNCTION redact_calls_v1(p_user uuid, p_after uuid, p_most integer, p_pattern text, p_word text, OUT last uuid, OUT changed bigint) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION redact_notices_v1(p_user uuid, p_pattern text, p_word text) TO talktime;
GRANT EXECUTE ON FUNCTION redact_notices_v1(p_user uuid, p_pattern text, p_word text) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION redacted(p_value jsonb, p_pattern text, p_word text) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION throttle_forgive_v1(p_key bytea) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION throttle_v1(p_key bytea, p_size double precision, p_leak_seconds double precision) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION verify_audit_range_v1(p_first uuid, p_last uuid) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION verify_audit_v1(p_user uuid) TO talktime_everyone;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE account_links TO talktime_everyone;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE api_keys TO talktime_everyone;
GRANT SELECT ON TABLE audit_entries TO talktime;
GRANT SELECT ON TABLE audit_entries TO talktime_everyone;
GRANT SELECT ON TABLE audit_heads TO talktime;
GRANT SELECT ON TABLE audit_heads TO talktime_everyone;
GRANT SELECT ON TABLE recovery_codes TO talktime;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE recovery_codes TO talktime_everyone;
GRANT DELETE, SELECT ON TABLE throttles TO talktime_everyone;
