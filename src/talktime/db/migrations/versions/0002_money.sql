SET check_function_bodies = off;

REVOKE INSERT, SELECT, UPDATE ON TABLE provider_events FROM talktime_everyone;
REVOKE INSERT (user_id) ON TABLE purchases FROM talktime;
REVOKE UPDATE (updated_at) ON TABLE purchases FROM talktime;
REVOKE INSERT (state), UPDATE (state) ON TABLE purchases FROM talktime;
REVOKE INSERT (price_minor) ON TABLE purchases FROM talktime;
REVOKE INSERT (paid_at), UPDATE (paid_at) ON TABLE purchases FROM talktime;
REVOKE INSERT (pack_id) ON TABLE purchases FROM talktime;
REVOKE INSERT (id) ON TABLE purchases FROM talktime;
REVOKE INSERT (gateway) ON TABLE purchases FROM talktime;
REVOKE INSERT (currency) ON TABLE purchases FROM talktime;
REVOKE INSERT (credits) ON TABLE purchases FROM talktime;
ALTER TABLE credit_transactions DROP CONSTRAINT fk_credit_transactions_user_id;
ALTER TABLE credit_holds DROP CONSTRAINT fk_credit_holds_user_id;
ALTER TABLE credit_holds DROP CONSTRAINT fk_credit_holds_price_id;
DROP INDEX uq_purchase_directory_purchase;
DROP INDEX uq_credit_transactions_reference;
DROP INDEX uq_credit_transactions_call_type;
DROP INDEX ix_provider_events_unhandled;
DROP INDEX ix_prices_user_id_valid_from;
DROP INDEX ix_credit_transactions_call;
ALTER TABLE credit_transactions DROP CONSTRAINT ck_credit_transactions_usage_has_call;
ALTER TABLE credit_transactions DROP CONSTRAINT ck_credit_transactions_texts;
ALTER TABLE credit_transactions DROP CONSTRAINT ck_credit_transactions_seq;
ALTER TABLE credit_transactions DROP CONSTRAINT ck_credit_transactions_reversal_has_purchase;
ALTER TABLE credit_transactions DROP CONSTRAINT ck_credit_transactions_purchase_has_purchase;
ALTER TABLE credit_transactions DROP CONSTRAINT ck_credit_transactions_hash;
ALTER TABLE credit_transactions DROP CONSTRAINT ck_credit_transactions_amount;
ALTER TABLE credit_transactions DROP CONSTRAINT ck_credit_transactions_adjustment_has_reference;
ALTER TABLE credit_transactions DROP CONSTRAINT ck_credit_transactions_adjustment_has_actor;
ALTER TABLE credit_holds DROP CONSTRAINT ck_credit_holds_lost_at;
ALTER TABLE credit_holds DROP CONSTRAINT ck_credit_holds_held;
ALTER TABLE credit_holds DROP CONSTRAINT ck_credit_holds_denied_reason;
ALTER TABLE credit_holds DROP CONSTRAINT ck_credit_holds_counts;
ALTER TABLE credit_holds DROP CONSTRAINT ck_credit_holds_closed_is_settled;
ALTER TABLE credit_holds DROP CONSTRAINT ck_credit_holds_closed_holds_nothing;
ALTER TABLE credit_holds DROP CONSTRAINT ck_credit_holds_charged;
ALTER TABLE credit_holds DROP CONSTRAINT ck_credit_holds_active_is_owned;
ALTER TABLE credit_accounts DROP CONSTRAINT ck_credit_accounts_spent_today;
ALTER TABLE credit_accounts DROP CONSTRAINT ck_credit_accounts_seq;
ALTER TABLE credit_accounts DROP CONSTRAINT ck_credit_accounts_open_calls;
ALTER TABLE credit_accounts DROP CONSTRAINT ck_credit_accounts_never_overspent;
ALTER TABLE credit_accounts DROP CONSTRAINT ck_credit_accounts_max_open_calls;
ALTER TABLE credit_accounts DROP CONSTRAINT ck_credit_accounts_held;
ALTER TABLE credit_accounts DROP CONSTRAINT ck_credit_accounts_grace_limit;
ALTER TABLE credit_accounts DROP CONSTRAINT ck_credit_accounts_fence;
ALTER TABLE credit_accounts DROP CONSTRAINT ck_credit_accounts_clawback_debt;
ALTER TABLE purchase_directory DROP CONSTRAINT pk_purchase_directory;
DROP FUNCTION verify_lines_v1(p_from uuid, p_to uuid, p_full boolean);
DROP FUNCTION verify_holds_v1(p_from uuid, p_to uuid);
DROP FUNCTION verify_accounts_v1(p_from uuid, p_to uuid);
DROP FUNCTION credit_price(p_user uuid, p_at timestamp with time zone);
CREATE TYPE approval_state AS ENUM ('PENDING', 'APPROVED', 'REFUSED');
CREATE TYPE claim_state AS ENUM ('REQUESTED', 'GRANTED', 'REFUSED');
CREATE TYPE cost_kind AS ENUM ('AUDIO_SECONDS', 'CHARACTERS', 'PROMPT_TOKENS', 'CACHED_TOKENS', 'COMPLETION_TOKENS', 'CARRIER_SECONDS');
CREATE TYPE invoice_kind AS ENUM ('INVOICE', 'CREDIT_NOTE');
CREATE TYPE price_kind AS ENUM ('CALL', 'TRANSFER');
CREATE TYPE purchase_kind AS ENUM ('CHECKOUT', 'TOP_UP');
CREATE TYPE refund_request_state AS ENUM ('ASKED', 'DONE', 'REFUSED');
CREATE TYPE reversal_kind AS ENUM ('REFUND', 'DISPUTE');
CREATE TYPE reversal_state AS ENUM ('PENDING', 'SUCCEEDED', 'FAILED', 'CANCELED', 'OPENED', 'WITHDRAWN', 'REINSTATED', 'WON', 'LOST');
ALTER TABLE alerts ENABLE ROW LEVEL SECURITY;

CREATE TABLE approvals (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    reference text NOT NULL,
    amount bigint NOT NULL,
    reason text NOT NULL,
    as_debt boolean DEFAULT false NOT NULL,
    state approval_state DEFAULT 'PENDING'::approval_state NOT NULL,
    requested_by uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    decided_by uuid,
    decided_at timestamp with time zone
);

CREATE TABLE billing_details (
    user_id uuid NOT NULL,
    name text DEFAULT ''::text NOT NULL,
    address text DEFAULT ''::text NOT NULL,
    country text DEFAULT ''::text NOT NULL,
    vat_id text DEFAULT ''::text NOT NULL,
    email text DEFAULT ''::text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE billing_details ENABLE ROW LEVEL SECURITY;

CREATE TABLE call_costs (
    user_id uuid NOT NULL,
    call_id uuid NOT NULL,
    provider text NOT NULL,
    kind cost_kind NOT NULL,
    quantity bigint NOT NULL,
    estimated boolean NOT NULL,
    amount_micros bigint,
    currency text,
    reported boolean DEFAULT false NOT NULL,
    ask_at timestamp with time zone,
    asked integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE call_costs ENABLE ROW LEVEL SECURITY;

CREATE TABLE charge_claims (
    user_id uuid NOT NULL,
    call_id uuid NOT NULL,
    reason text NOT NULL,
    state claim_state NOT NULL,
    automatic boolean NOT NULL,
    credits bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    decided_at timestamp with time zone,
    decided_by uuid,
    note text
);
ALTER TABLE charge_claims ENABLE ROW LEVEL SECURITY;

CREATE TABLE cost_rates (
    provider text NOT NULL,
    kind cost_kind NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    units bigint NOT NULL,
    amount_micros bigint NOT NULL,
    currency text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE credit_reversals (
    user_id uuid NOT NULL,
    reference text NOT NULL,
    purchase_id uuid NOT NULL,
    type transaction_type NOT NULL,
    asked bigint NOT NULL,
    taken bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE credit_reversals ENABLE ROW LEVEL SECURITY;

CREATE TABLE invoice_numbers (
    series text NOT NULL,
    no bigint NOT NULL,
    user_id uuid NOT NULL,
    invoice_id uuid NOT NULL
);

CREATE TABLE invoice_series (
    series text NOT NULL,
    last_no bigint NOT NULL
);

CREATE TABLE invoices (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    number text NOT NULL,
    series text NOT NULL,
    no bigint NOT NULL,
    kind invoice_kind NOT NULL,
    purchase_id uuid NOT NULL,
    reversal_id text,
    refers_to text,
    issued_at timestamp with time zone DEFAULT now() NOT NULL,
    paid_at timestamp with time zone NOT NULL,
    seller jsonb NOT NULL,
    buyer jsonb NOT NULL,
    description text NOT NULL,
    payment_reference text NOT NULL,
    currency text NOT NULL,
    vat_basis_points integer NOT NULL,
    net_minor bigint NOT NULL,
    vat_minor bigint NOT NULL,
    gross_minor bigint NOT NULL
);
ALTER TABLE invoices ENABLE ROW LEVEL SECURITY;

CREATE TABLE notices (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    not_before timestamp with time zone DEFAULT now() NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    mailed_at timestamp with time zone,
    dropped_at timestamp with time zone,
    dropped_reason text
);
ALTER TABLE notices ENABLE ROW LEVEL SECURITY;

CREATE TABLE payment_reversals (
    user_id uuid NOT NULL,
    id text NOT NULL,
    purchase_id uuid NOT NULL,
    kind reversal_kind NOT NULL,
    state reversal_state NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    withdrawn_minor bigint DEFAULT 0 NOT NULL,
    reinstated_minor bigint DEFAULT 0 NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE payment_reversals ENABLE ROW LEVEL SECURITY;

CREATE TABLE payment_rounds (
    gateway text NOT NULL,
    reconciled_at timestamp with time zone NOT NULL,
    succeeded_at timestamp with time zone
);

CREATE TABLE refund_requests (
    user_id uuid NOT NULL,
    request_key text NOT NULL,
    purchase_id uuid NOT NULL,
    amount_minor bigint NOT NULL,
    actor_id uuid NOT NULL,
    state refund_request_state DEFAULT 'ASKED'::refund_request_state NOT NULL,
    refund_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE refund_requests ENABLE ROW LEVEL SECURITY;

CREATE TABLE top_ups (
    user_id uuid NOT NULL,
    enabled boolean DEFAULT false NOT NULL,
    threshold bigint,
    pack_id uuid,
    credits bigint,
    price_minor bigint,
    currency text,
    ceiling_minor bigint,
    consented_at timestamp with time zone,
    gateway text,
    customer_id text,
    payment_method_id text,
    brand text DEFAULT ''::text NOT NULL,
    last4 text DEFAULT ''::text NOT NULL,
    expires_month integer,
    expires_year integer,
    declines integer DEFAULT 0 NOT NULL,
    not_before timestamp with time zone,
    stopped_reason text,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE top_ups ENABLE ROW LEVEL SECURITY;

CREATE TABLE ungranted_payments (
    gateway text NOT NULL,
    payment_id text NOT NULL,
    why text NOT NULL,
    user_id uuid,
    purchase_id uuid,
    amount_minor bigint,
    currency text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE ungranted_reversals (
    gateway text NOT NULL,
    id text NOT NULL,
    payment_id text NOT NULL,
    kind reversal_kind NOT NULL,
    state reversal_state NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    withdrawn_minor bigint DEFAULT 0 NOT NULL,
    reinstated_minor bigint DEFAULT 0 NOT NULL,
    reason text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE alerts ADD COLUMN note text;
ALTER TABLE alerts ADD COLUMN digest_id uuid;
ALTER TABLE alerts ADD COLUMN digest_after timestamp with time zone;
ALTER TABLE alerts ADD COLUMN mailed_at timestamp with time zone;
ALTER TABLE calls ADD COLUMN parent_id uuid;
ALTER TABLE credit_accounts ADD COLUMN spent_until timestamp with time zone;
ALTER TABLE credit_accounts ADD COLUMN day_limit bigint;
ALTER TABLE credit_accounts ADD COLUMN call_limit bigint;
ALTER TABLE credit_accounts ADD COLUMN caller_limit bigint;
ALTER TABLE credit_accounts ADD COLUMN low_balance bigint;
ALTER TABLE credit_holds ADD COLUMN corrections integer DEFAULT 0 NOT NULL;
ALTER TABLE credit_holds ADD COLUMN corrected_seconds integer;
ALTER TABLE credit_holds ADD COLUMN final_reason text;
ALTER TABLE prices ADD COLUMN kind price_kind DEFAULT 'CALL'::price_kind NOT NULL;
ALTER TABLE prices ADD COLUMN follows_list boolean DEFAULT false NOT NULL;
ALTER TABLE prices ADD COLUMN created_by uuid;
ALTER TABLE provider_events ADD COLUMN not_before timestamp with time zone DEFAULT now() NOT NULL;
ALTER TABLE provider_events ADD COLUMN gave_up_at timestamp with time zone;
ALTER TABLE provider_events ADD COLUMN waits_for text;
ALTER TABLE purchase_directory ALTER COLUMN checkout_id DROP NOT NULL;
ALTER TABLE purchases ADD COLUMN kind purchase_kind DEFAULT 'CHECKOUT'::purchase_kind NOT NULL;
ALTER TABLE purchases ADD COLUMN request_key text DEFAULT (gen_random_uuid())::text NOT NULL;
ALTER TABLE purchases ADD COLUMN name text DEFAULT ''::text NOT NULL;
ALTER TABLE purchases ADD COLUMN test boolean DEFAULT false NOT NULL;
ALTER TABLE purchases ADD COLUMN save_card boolean DEFAULT false NOT NULL;
ALTER TABLE purchases ADD COLUMN success_url text;
ALTER TABLE purchases ADD COLUMN cancel_url text;
ALTER TABLE purchases ADD COLUMN customer_id text;
ALTER TABLE purchases ADD COLUMN payment_method_id text;
ALTER TABLE purchases ADD COLUMN checkout_url text;
ALTER TABLE purchases ADD COLUMN expires_at timestamp with time zone;
ALTER TABLE purchases ADD COLUMN failure text;

CREATE OR REPLACE FUNCTION public.adjust_v1(p_user uuid, p_reference text, p_amount bigint, p_reason text, p_actor uuid, p_as_debt boolean DEFAULT false, OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    t credit_transactions;
    v_balance bigint;
    v_held bigint;
    v_low_balance bigint;
    v_seq bigint;
    v_head bytea;
    v_now timestamptz;
    v_free bigint;
    v_debt bigint := 0;
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
    SELECT a.balance, a.held, a.low_balance, a.seq, a.head INTO v_balance, v_held, v_low_balance, v_seq, v_head
    FROM credit_accounts a WHERE a.user_id = p_user FOR NO KEY UPDATE;
    IF v_seq IS NULL OR p_amount < 0 THEN
        IF v_seq IS NULL THEN
            SELECT a.balance, a.held, a.low_balance, a.seq, a.head INTO v_balance, v_held, v_low_balance, v_seq, v_head
            FROM credit_lock(p_user) a;
        END IF;
        v_free := greatest(0, v_balance - v_held);
        IF p_amount < -v_free
            AND NOT EXISTS (SELECT FROM credit_transactions c WHERE c.user_id = p_user AND c.reference = p_reference) THEN
            IF p_as_debt IS NOT TRUE THEN
                RAISE EXCEPTION 'only % credits are free to be taken, not %', v_free, -p_amount USING ERRCODE = 'TT402';
            END IF;
            -- What is missing to the grace line becomes debt, however little there was before.
            v_debt := 1000000000000000;
        END IF;
    END IF;
    v_now := clock_timestamp();
    INSERT INTO credit_transactions AS c (
        user_id, seq, type, amount, balance_after, reference, reason, actor_id, created_at, hash
    ) VALUES (
        p_user, v_seq + 1, 'ADMIN_ADJUSTMENT', p_amount, v_balance + p_amount, p_reference, p_reason, p_actor, v_now,
        credit_line_hash(v_head, p_user, v_seq + 1, 'ADMIN_ADJUSTMENT', p_amount, v_balance + p_amount, NULL, NULL, p_reference,
                         p_reason, p_actor, v_now)
    ) ON CONFLICT (user_id, reference) WHERE reference IS NOT NULL DO NOTHING
    RETURNING c.seq, c.amount, c.balance_after, c.hash INTO seq, amount, balance_after, v_head;
    fresh := FOUND;
    IF fresh THEN
        UPDATE credit_accounts SET
            balance = adjust_v1.balance_after, seq = adjust_v1.seq, head = v_head,
            clawback_debt = least(greatest(clawback_debt, v_debt), greatest(0, -grace_limit - (adjust_v1.balance_after - held)))
        WHERE user_id = p_user;
        IF v_low_balance > balance_after AND v_low_balance <= v_balance THEN
            PERFORM credit_notice(p_user, 'low_balance', adjust_v1.seq::text, jsonb_build_object(
                'balance', adjust_v1.balance_after, 'threshold', v_low_balance
            ));
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

CREATE OR REPLACE FUNCTION public.answer_v1(p_user uuid, p_call uuid, p_owner text, OUT claimed boolean, OUT granted_seconds integer, OUT cut_at timestamp with time zone)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    PERFORM assert_tenant(p_user);
    IF coalesce(p_owner, '') = '' THEN
        RAISE EXCEPTION 'an owner is needed' USING ERRCODE = 'TT422';
    END IF;
    UPDATE credit_holds h SET
        state = 'ACTIVE', lease_owner = p_owner, lease_until = v_now + interval '45 seconds',
        cut_at = v_now + (h.granted_seconds - 3) * interval '1 second'
    WHERE h.user_id = p_user AND h.call_id = p_call AND h.state = 'AUTHORISED' AND h.cut_claimed_at IS NULL
    RETURNING h.granted_seconds, h.cut_at INTO granted_seconds, cut_at;
    claimed := FOUND;
END
$function$;

CREATE OR REPLACE FUNCTION public.authorise_v1(p_user uuid, p_call uuid, p_price uuid DEFAULT NULL::uuid, OUT allowed boolean, OUT reason text, OUT granted_seconds integer, OUT held bigint, OUT fresh boolean)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    a record;
    h record;
    v_price prices;
    v_now timestamptz;
    v_free bigint;
    v_room bigint;
    v_guard text;
BEGIN
    IF (p_user = nullif(current_setting('talktime.user_id', true), '')::uuid) IS NOT TRUE THEN
        PERFORM assert_tenant(p_user);
    END IF;
    SELECT c.balance, c.held, c.clawback_debt, c.blocked_reason, c.open_calls, c.max_open_calls, c.spent_until,
        c.day_limit IS NOT NULL OR c.call_limit IS NOT NULL OR c.caller_limit IS NOT NULL AS guarded
    INTO a FROM credit_accounts c WHERE c.user_id = p_user FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        SELECT c.*, c.day_limit IS NOT NULL OR c.call_limit IS NOT NULL OR c.caller_limit IS NOT NULL AS guarded INTO a
        FROM credit_lock(p_user) c;
    END IF;
    SELECT x.state, x.denied_reason, x.granted_seconds, x.held INTO h
    FROM credit_holds x WHERE x.user_id = p_user AND x.call_id = p_call;
    fresh := NOT FOUND;
    IF NOT fresh THEN
        allowed := h.state NOT IN ('DENIED', 'SETTLED', 'RELEASED');
        reason := CASE WHEN h.state = 'DENIED' THEN h.denied_reason WHEN NOT allowed THEN 'over' END;
        granted_seconds := h.granted_seconds;
        held := h.held;
        RETURN;
    END IF;

    v_now := clock_timestamp();
    IF p_price IS NULL THEN
        -- As `credit_price` chooses, in one statement: nearly everybody follows the list.
        SELECT p.* INTO v_price FROM prices p
        WHERE p.user_id IS NULL AND p.kind = 'CALL' AND p.valid_from <= v_now
            AND NOT EXISTS (SELECT FROM prices own WHERE own.user_id = p_user AND own.kind = 'CALL' AND own.valid_from <= v_now)
        ORDER BY p.valid_from DESC, p.id DESC LIMIT 1;
        IF NOT FOUND THEN
            v_price := credit_price(p_user, v_now);
        END IF;
    ELSE
        SELECT p.* INTO v_price FROM prices p
        WHERE p.id = p_price AND (p.user_id IS NULL OR p.user_id = p_user) AND NOT p.follows_list;
    END IF;
    granted_seconds := 0;
    held := 0;
    reason := CASE
        WHEN v_price.id IS NULL THEN 'no_price'
        WHEN a.blocked_reason IS NOT NULL THEN 'blocked'
        WHEN a.open_calls >= a.max_open_calls THEN 'too_many_calls'
        WHEN a.clawback_debt > 0 THEN 'debt'
    END;
    IF reason IS NULL THEN
        -- A free price needs no balance; grace never starts a call.
        v_free := greatest(a.balance - a.held, 0);
        IF a.guarded THEN
            SELECT g.room, g.guard INTO v_room, v_guard
            FROM credit_accounts c CROSS JOIN LATERAL credit_room(credit_spend(c, 0), p_call, 0) g WHERE c.user_id = p_user;
            IF v_room < v_free THEN
                v_free := greatest(v_room, 0);
            ELSE
                v_guard := NULL;
            END IF;
        END IF;
        granted_seconds := v_price.initial_seconds
            + credit_steps(greatest(0, 60 - v_price.initial_seconds), v_price.increment_seconds);
        held := credit_cost(granted_seconds, v_price.credits_per_minute, v_price.connection_fee,
                            v_price.initial_seconds, v_price.increment_seconds, 0);
        IF held > v_free THEN
            granted_seconds := credit_affords(v_free, v_price.credits_per_minute, v_price.connection_fee,
                                              v_price.initial_seconds, v_price.increment_seconds);
            held := credit_cost(granted_seconds, v_price.credits_per_minute, v_price.connection_fee,
                                v_price.initial_seconds, v_price.increment_seconds, 0);
            IF granted_seconds = 0 THEN
                reason := coalesce(v_guard, 'no_credit');
                held := 0;
            END IF;
        END IF;
    END IF;

    allowed := reason IS NULL;
    IF NOT allowed THEN
        INSERT INTO credit_holds (
            user_id, call_id, price_id, credits_per_minute, connection_fee, initial_seconds, increment_seconds, free_seconds,
            state, denied_reason, granted_seconds, settled_at, created_at
        ) VALUES (
            p_user, p_call, v_price.id, coalesce(v_price.credits_per_minute, 0), coalesce(v_price.connection_fee, 0),
            coalesce(v_price.initial_seconds, 60), coalesce(v_price.increment_seconds, 60), coalesce(v_price.free_seconds, 0),
            'DENIED', authorise_v1.reason, authorise_v1.granted_seconds, v_now, v_now
        );
        IF reason <> 'blocked' THEN
            PERFORM credit_tell_refused(c, p_call, 'calls_refused', authorise_v1.reason)
            FROM credit_accounts c WHERE c.user_id = p_user;
        END IF;
        RETURN;
    END IF;
    INSERT INTO credit_holds (
        user_id, call_id, price_id, credits_per_minute, connection_fee, initial_seconds, increment_seconds, free_seconds,
        state, granted_seconds, held, held_peak, lease_until, created_at
    ) VALUES (
        p_user, p_call, v_price.id, v_price.credits_per_minute, v_price.connection_fee, v_price.initial_seconds,
        v_price.increment_seconds, v_price.free_seconds, 'AUTHORISED', authorise_v1.granted_seconds, authorise_v1.held,
        authorise_v1.held, v_now + interval '120 seconds', v_now
    );
    IF (a.spent_until > v_now) IS NOT TRUE THEN
        PERFORM credit_turn_day(p_user);
    END IF;
    UPDATE credit_accounts SET
        held = held + authorise_v1.held, open_calls = open_calls + 1, spent_today = spent_today + authorise_v1.held
    WHERE user_id = p_user;
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
    v_now timestamptz := clock_timestamp();
    v_price uuid;
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
    reason := CASE
        WHEN c.status <> 'IN_PROGRESS' OR c.parent_id IS NOT NULL THEN 'over'
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
    SELECT z.allowed, z.reason, z.granted_seconds INTO allowed, reason, granted_seconds
    FROM authorise_v1(p_user, p_leg, v_price) z;
    IF NOT allowed THEN
        v_now := clock_timestamp();
        UPDATE calls x SET status = 'FAILED', end_reason = begin_leg_v1.reason, ended_at = v_now, seconds = 0
        WHERE x.user_id = p_user AND x.id = p_leg;
    END IF;
END
$function$;

REVOKE ALL ON FUNCTION begin_leg_v1(p_user uuid, p_parent uuid, p_leg uuid, p_dialled text, p_is_ordinary boolean, OUT fresh boolean, OUT allowed boolean, OUT reason text, OUT granted_seconds integer, OUT carrier text, OUT parent_name text, OUT agent_seconds integer, OUT seconds_max integer) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.block_v1(p_user uuid, p_reason text)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    a credit_accounts;
BEGIN
    PERFORM assert_tenant(p_user);
    IF btrim(p_reason) = '' THEN
        RAISE EXCEPTION 'an account is blocked for a reason' USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    IF a.blocked_reason = 'closed' AND p_reason IS DISTINCT FROM 'closed' THEN
        RAISE EXCEPTION 'a closed account stays closed' USING ERRCODE = 'TT409';
    END IF;
    a.blocked_reason := p_reason;
    PERFORM credit_store(a);
END
$function$;

CREATE OR REPLACE FUNCTION public.call_left_at(p_user uuid, p_call uuid)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
    SELECT min(l.started_at) FROM calls l
    WHERE l.user_id = p_user AND l.parent_id = p_call AND (l.carrier_call_id <> '' OR l.ended_at IS NULL)
$function$;

REVOKE ALL ON FUNCTION call_left_at(p_user uuid, p_call uuid) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.calls_cost_carrier()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_seconds bigint := coalesce(NEW.carrier_seconds, NEW.seconds, 0);
    v_ask_at timestamptz := clock_timestamp() + interval '2 minutes';
BEGIN
    INSERT INTO call_costs AS k (
        user_id, call_id, provider, kind, quantity, estimated, amount_micros, currency, ask_at
    )
    SELECT NEW.user_id, NEW.id, NEW.carrier, 'CARRIER_SECONDS', v_seconds, NEW.carrier_seconds IS NULL,
        a.amount_micros, a.currency, v_ask_at
    FROM cost_amount(NEW.carrier, 'CARRIER_SECONDS', v_seconds, NEW.started_at) a
    WHERE v_seconds > 0 OR EXISTS (
        SELECT FROM call_costs x WHERE x.user_id = NEW.user_id AND x.call_id = NEW.id
            AND x.provider = NEW.carrier AND x.kind = 'CARRIER_SECONDS'
    )
    ON CONFLICT (user_id, call_id, provider, kind) DO UPDATE SET
        quantity = excluded.quantity,
        estimated = excluded.estimated,
        amount_micros = CASE WHEN k.reported THEN k.amount_micros ELSE excluded.amount_micros END,
        currency = CASE WHEN k.reported THEN k.currency ELSE excluded.currency END;
    RETURN NULL;
END
$function$;

REVOKE ALL ON FUNCTION calls_cost_carrier() FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.claim_v1(p_user uuid, p_call uuid, p_reason text, OUT fresh boolean, OUT state claim_state, OUT credits bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    a credit_accounts;
    h credit_holds;
    r record;
    v_claim charge_claims;
    v_now timestamptz;
    v_month timestamptz;
    v_granted integer;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_reason IS NULL OR p_reason NOT IN ('wrong_number', 'spam', 'not_a_call') THEN
        RAISE EXCEPTION 'a call was not real because of wrong_number, spam or not_a_call' USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    SELECT * INTO v_claim FROM charge_claims c WHERE c.user_id = p_user AND c.call_id = p_call;
    fresh := NOT FOUND;
    IF NOT fresh THEN
        state := v_claim.state;
        credits := v_claim.credits;
        RETURN;
    END IF;
    h := credit_settled_hold(p_user, p_call);
    credits := h.charged + h.corrected;
    IF credits = 0 THEN
        RAISE EXCEPTION 'call % cost nothing', p_call USING ERRCODE = 'TT409';
    END IF;
    v_now := clock_timestamp();
    SELECT date_trunc('month', v_now AT TIME ZONE u.zone) AT TIME ZONE u.zone INTO v_month FROM users u WHERE u.id = p_user;
    SELECT count(*) INTO v_granted FROM charge_claims c WHERE c.user_id = p_user AND c.automatic AND c.created_at >= v_month;
    state := CASE WHEN coalesce(h.corrected_seconds, h.settled_seconds) < 30 AND v_granted < 3
        THEN 'GRANTED' ELSE 'REQUESTED' END;
    INSERT INTO charge_claims (user_id, call_id, reason, state, automatic, credits, created_at, decided_at)
    VALUES (p_user, p_call, p_reason, claim_v1.state, claim_v1.state = 'GRANTED', claim_v1.credits, v_now,
            CASE WHEN claim_v1.state = 'GRANTED' THEN v_now END);
    IF state = 'GRANTED' THEN
        h.not_charged_reason := p_reason;
        SELECT * INTO r FROM credit_recharge(a, h, 0, 'not charged: ' || p_reason, NULL);
        a := r.a;
        PERFORM credit_store(a);
    ELSE
        PERFORM credit_alert(p_user, 'charge_claimed', jsonb_build_object('call_id', p_call, 'credits', credits));
    END IF;
END
$function$;

REVOKE ALL ON FUNCTION claim_v1(p_user uuid, p_call uuid, p_reason text, OUT fresh boolean, OUT state claim_state, OUT credits bigint) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.close_v1(p_user uuid)
 RETURNS TABLE(call_id uuid)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    a credit_accounts;
    v_now timestamptz;
BEGIN
    PERFORM assert_tenant(p_user);
    a := credit_lock(p_user);
    a.blocked_reason := 'closed';
    PERFORM credit_store(a);
    v_now := clock_timestamp();
    -- In the order in which heartbeats lock them.
    PERFORM FROM credit_holds h WHERE h.user_id = p_user AND h.settled_at IS NULL ORDER BY h.call_id FOR NO KEY UPDATE;
    RETURN QUERY UPDATE credit_holds h SET
        cut_claimed_at = coalesce(h.cut_claimed_at, v_now), cut_at = least(h.cut_at, v_now)
    WHERE h.user_id = p_user AND h.settled_at IS NULL
    RETURNING h.call_id;
END
$function$;

REVOKE ALL ON FUNCTION close_v1(p_user uuid) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.correct_call_v1(p_user uuid, p_call uuid, OUT corrected boolean, OUT amount bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    c calls;
    h credit_holds;
    v_tolerance numeric;
    v_seconds integer;
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT * INTO c FROM calls x WHERE x.user_id = p_user AND x.id = p_call FOR NO KEY UPDATE;
    corrected := false;
    amount := 0;
    SELECT * INTO h FROM credit_holds x WHERE x.user_id = p_user AND x.call_id = p_call;
    IF c.carrier_seconds IS NULL OR h.state IS DISTINCT FROM 'SETTLED' OR c.parent_id IS NOT NULL
        OR call_left_at(p_user, p_call) IS NOT NULL THEN
        RETURN;
    END IF;
    v_tolerance := greatest(2, h.settled_seconds * 0.02);
    v_seconds := CASE
        WHEN abs(c.carrier_seconds - h.settled_seconds) <= v_tolerance THEN h.settled_seconds
        WHEN c.carrier_seconds < h.settled_seconds THEN c.carrier_seconds
        WHEN c.end_reason IN ('lost', 'line_dead') THEN h.settled_seconds
        WHEN c.carrier_seconds > extract(epoch FROM c.ended_at - c.started_at) + v_tolerance THEN h.settled_seconds
        ELSE c.carrier_seconds
    END;
    SELECT z.fresh, z.amount INTO corrected, amount FROM correct_v1(p_user, p_call, v_seconds) z;
END
$function$;

REVOKE ALL ON FUNCTION correct_call_v1(p_user uuid, p_call uuid, OUT corrected boolean, OUT amount bigint) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.correct_v1(p_user uuid, p_call uuid, p_seconds integer, OUT fresh boolean, OUT amount bigint, OUT charged bigint, OUT unbilled bigint, OUT balance bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    a credit_accounts;
    h credit_holds;
    r record;
    v_delta bigint := 0;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_seconds IS NULL OR p_seconds < 0 OR p_seconds > 1000000 THEN
        RAISE EXCEPTION 'a call lasts 0 to 1,000,000 seconds, not %', p_seconds USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    h := credit_settled_hold(p_user, p_call);
    fresh := h.state = 'SETTLED' AND h.not_charged_reason IS NULL
        AND p_seconds <> coalesce(h.corrected_seconds, h.settled_seconds);
    IF fresh THEN
        h.corrected_seconds := p_seconds;
        SELECT * INTO r FROM credit_recharge(
            a, h,
            credit_cost(p_seconds, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, h.free_seconds),
            format('the carrier measured %s s, we %s s', p_seconds, h.settled_seconds), NULL
        );
        a := r.a;
        h := r.h;
        v_delta := r.delta;
        PERFORM credit_store(a);
    END IF;
    amount := -v_delta;
    charged := h.charged + h.corrected;
    unbilled := h.unbilled;
    balance := a.balance;
END
$function$;

REVOKE ALL ON FUNCTION correct_v1(p_user uuid, p_call uuid, p_seconds integer, OUT fresh boolean, OUT amount bigint, OUT charged bigint, OUT unbilled bigint, OUT balance bigint) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.cost_amount(p_provider text, p_kind cost_kind, p_quantity bigint, p_at timestamp with time zone, OUT amount_micros bigint, OUT currency text)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    -- numeric, because a product of two large numbers is larger than a bigint; `div` never rounds.
    SELECT least(div(p_quantity::numeric * r.amount_micros + r.units - 1, r.units), 1000000000000000000)::bigint, r.currency
    INTO amount_micros, currency
    FROM cost_rates r
    WHERE r.provider = p_provider AND r.kind = p_kind AND r.valid_from <= p_at
    ORDER BY r.valid_from DESC LIMIT 1;
END
$function$;

REVOKE ALL ON FUNCTION cost_amount(p_provider text, p_kind cost_kind, p_quantity bigint, p_at timestamp with time zone, OUT amount_micros bigint, OUT currency text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_account_is_sound(a credit_accounts)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
DECLARE
    -- No balance and no hold comes near this; one that does is a bug.
    c_fence CONSTANT bigint := 1000000000000000;
BEGIN
    IF (least(a.balance - a.held + a.grace_limit + a.clawback_debt, a.held, a.grace_limit, a.clawback_debt, a.spent_today,
              a.seq, a.day_limit, a.call_limit, a.caller_limit, a.low_balance) >= 0
        AND least(a.open_calls, a.max_open_calls) >= 0
        AND greatest(abs(a.balance), a.held, a.grace_limit, a.clawback_debt, a.low_balance) <= c_fence) IS NOT FALSE THEN
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

REVOKE ALL ON FUNCTION credit_account_is_sound(a credit_accounts) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_accounts_stay()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION 'an account is never removed: % refused', TG_OP USING ERRCODE = 'TT409';
END
$function$;

REVOKE ALL ON FUNCTION credit_accounts_stay() FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_alert(p_user uuid, p_kind text, p_detail jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    INSERT INTO alerts (id, kind, user_id, detail) VALUES (gen_random_uuid(), p_kind, p_user, p_detail);
END
$function$;

REVOKE ALL ON FUNCTION credit_alert(p_user uuid, p_kind text, p_detail jsonb) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_append(a credit_accounts, p_type transaction_type, p_amount bigint, p_call uuid, p_purchase uuid, p_reference text, p_reason text, p_actor uuid)
 RETURNS credit_accounts
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    a.balance := a.balance + p_amount;
    a.seq := a.seq + 1;
    a.head := credit_line_hash(
        a.head, a.user_id, a.seq, p_type, p_amount, a.balance, p_call, p_purchase, p_reference, p_reason, p_actor, v_now
    );
    INSERT INTO credit_transactions (
        user_id, seq, type, amount, balance_after, call_id, purchase_id, reference, reason, actor_id, created_at, hash
    ) VALUES (
        a.user_id, a.seq, p_type, p_amount, a.balance, p_call, p_purchase, p_reference, p_reason, p_actor, v_now, a.head
    );
    IF a.low_balance > a.balance AND a.low_balance <= a.balance - p_amount THEN
        PERFORM credit_notice(a.user_id, 'low_balance', a.seq::text, jsonb_build_object(
            'balance', a.balance, 'threshold', a.low_balance
        ));
    END IF;
    RETURN a;
END
$function$;

CREATE OR REPLACE FUNCTION public.credit_append_many(p_accounts credit_accounts[], p_lines credit_transactions[])
 RETURNS SETOF credit_transactions
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    RETURN QUERY
    WITH RECURSIVE line AS MATERIALIZED (
        SELECT l.*, row_number() OVER (PARTITION BY l.user_id ORDER BY l.seq) AS step FROM unnest(p_lines) l
    ), account AS MATERIALIZED (
        SELECT a.user_id, a.seq, a.balance, a.head, a.low_balance FROM unnest(p_accounts) a
    ), chain AS (
        SELECT l.user_id, l.step, a.seq + 1 AS seq, l.type, l.amount, a.balance + l.amount AS balance_after, l.call_id,
            l.reference, l.reason, l.actor_id,
            credit_line_hash(a.head, l.user_id, a.seq + 1, l.type, l.amount, a.balance + l.amount, l.call_id, NULL,
                             l.reference, l.reason, l.actor_id, v_now) AS hash
        FROM line l JOIN account a ON a.user_id = l.user_id WHERE l.step = 1
        UNION ALL
        SELECT l.user_id, l.step, c.seq + 1, l.type, l.amount, c.balance_after + l.amount, l.call_id,
            l.reference, l.reason, l.actor_id,
            credit_line_hash(c.hash, l.user_id, c.seq + 1, l.type, l.amount, c.balance_after + l.amount, l.call_id, NULL,
                             l.reference, l.reason, l.actor_id, v_now)
        FROM chain c JOIN line l ON l.user_id = c.user_id AND l.step = c.step + 1
    ), low AS (
        INSERT INTO notices (user_id, id, kind, subject, detail)
        SELECT c.user_id, gen_random_uuid(), 'low_balance', c.seq::text,
            jsonb_build_object('balance', c.balance_after, 'threshold', a.low_balance)
        FROM chain c JOIN account a ON a.user_id = c.user_id
        WHERE a.low_balance > c.balance_after AND a.low_balance <= c.balance_after - c.amount
        ON CONFLICT DO NOTHING
    ), last AS (
        SELECT DISTINCT ON (c.user_id) c.user_id, c.seq, c.balance_after, c.hash FROM chain c ORDER BY c.user_id, c.seq DESC
    ), stored AS (
        -- Debt is what is missing to the grace line; who may make it grow was decided before.
        UPDATE credit_accounts a SET balance = l.balance_after, seq = l.seq, head = l.hash,
            clawback_debt = greatest(0, -a.grace_limit - (l.balance_after - a.held))
        FROM last l WHERE a.user_id = l.user_id
    )
    INSERT INTO credit_transactions (
        user_id, seq, type, amount, balance_after, call_id, purchase_id, reference, reason, actor_id, created_at, hash
    )
    SELECT c.user_id, c.seq, c.type, c.amount, c.balance_after, c.call_id, NULL, c.reference, c.reason, c.actor_id, v_now, c.hash
    FROM chain c ORDER BY c.user_id, c.seq
    RETURNING credit_transactions.*;
END
$function$;

REVOKE ALL ON FUNCTION credit_append_many(p_accounts credit_accounts[], p_lines credit_transactions[]) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_hold_is_sound(h credit_holds)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
BEGIN
    IF (least(h.held, h.charged, h.charged + h.corrected, h.unbilled) >= 0
        AND greatest(h.held, h.charged + h.corrected) <= h.held_peak
        AND least(h.granted_seconds, h.used_seconds, h.corrections) >= 0
        AND CASE
            WHEN h.settled_at IS NOT NULL AND h.denied_reason IS NULL THEN h.state IN ('SETTLED', 'RELEASED') AND h.held = 0
            WHEN h.denied_reason IS NOT NULL THEN h.state = 'DENIED' AND h.settled_at IS NOT NULL AND h.held = 0
            WHEN h.lost_at IS NOT NULL AND h.state = 'RECONCILE' THEN true
            WHEN h.lease_owner IS NOT NULL AND h.cut_at IS NOT NULL THEN h.state IN ('ACTIVE', 'FINAL', 'AUTHORISED')
            ELSE h.state = 'AUTHORISED'
        END) IS NOT FALSE THEN
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

REVOKE ALL ON FUNCTION credit_hold_is_sound(h credit_holds) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_line_hash(p_previous bytea, p_user uuid, p_seq bigint, p_type transaction_type, p_amount bigint, p_balance_after bigint, p_call uuid, p_purchase uuid, p_reference text, p_reason text, p_actor uuid, p_created_at timestamp with time zone)
 RETURNS bytea
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN sha256(record_send(ROW(2, p_user, p_seq, (p_type)::text, p_amount, p_balance_after, p_call, p_purchase, convert_to(p_reference, 'UTF8'::name), convert_to(p_reason, 'UTF8'::name), p_actor, p_created_at, p_previous)));

CREATE OR REPLACE FUNCTION public.credit_line_hash_1(p_previous bytea, p_user uuid, p_seq bigint, p_type transaction_type, p_amount bigint, p_balance_after bigint, p_call uuid, p_purchase uuid, p_reference text, p_reason text, p_actor uuid, p_created_at timestamp with time zone)
 RETURNS bytea
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN sha256((((((((((((((((((('\x0100000010'::bytea || uuid_send(p_user)) || '\x00000008'::bytea) || int8send(p_seq)) || int4send(octet_length(enum_send(p_type)))) || enum_send(p_type)) || '\x00000008'::bytea) || int8send(p_amount)) || '\x00000008'::bytea) || int8send(p_balance_after)) || COALESCE(('\x00000010'::bytea || uuid_send(p_call)), '\xffffffff'::bytea)) || COALESCE(('\x00000010'::bytea || uuid_send(p_purchase)), '\xffffffff'::bytea)) || credit_field(convert_to(p_reference, 'UTF8'::name))) || credit_field(convert_to(p_reason, 'UTF8'::name))) || COALESCE(('\x00000010'::bytea || uuid_send(p_actor)), '\xffffffff'::bytea)) || '\x00000008'::bytea) || int8send(((EXTRACT(epoch FROM p_created_at) * (1000000)::numeric))::bigint)) || int4send(octet_length(p_previous))) || p_previous));

REVOKE ALL ON FUNCTION credit_line_hash_1(p_previous bytea, p_user uuid, p_seq bigint, p_type transaction_type, p_amount bigint, p_balance_after bigint, p_call uuid, p_purchase uuid, p_reference text, p_reason text, p_actor uuid, p_created_at timestamp with time zone) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_line_is_genuine(p_hash bytea, p_previous bytea, p_user uuid, p_seq bigint, p_type transaction_type, p_amount bigint, p_balance_after bigint, p_call uuid, p_purchase uuid, p_reference text, p_reason text, p_actor uuid, p_created_at timestamp with time zone)
 RETURNS boolean
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN ((p_hash = credit_line_hash(p_previous, p_user, p_seq, p_type, p_amount, p_balance_after, p_call, p_purchase, p_reference, p_reason, p_actor, p_created_at)) OR (p_hash = credit_line_hash_1(p_previous, p_user, p_seq, p_type, p_amount, p_balance_after, p_call, p_purchase, p_reference, p_reason, p_actor, p_created_at)));

REVOKE ALL ON FUNCTION credit_line_is_genuine(p_hash bytea, p_previous bytea, p_user uuid, p_seq bigint, p_type transaction_type, p_amount bigint, p_balance_after bigint, p_call uuid, p_purchase uuid, p_reference text, p_reason text, p_actor uuid, p_created_at timestamp with time zone) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_line_is_sound(t credit_transactions)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
BEGIN
    -- Usage and purchases have no reference, the others have: each looks only at its own rules.
    IF t.reference IS NULL THEN
        IF (t.seq >= 1 AND octet_length(t.hash) = 32 AND length(t.reason) BETWEEN 1 AND 1000
            AND CASE
                WHEN t.purchase_id IS NULL THEN t.type IN ('CALL_USAGE', 'GRACE_USAGE') AND t.call_id IS NOT NULL AND t.amount < 0
                ELSE t.type = 'PURCHASE' AND t.amount > 0
            END) IS NOT FALSE THEN
            RETURN true;
        END IF;
    ELSIF (t.amount <> 0 AND t.seq >= 1 AND octet_length(t.hash) = 32
        AND length(t.reference) BETWEEN 1 AND 200 AND length(t.reason) BETWEEN 1 AND 1000
        AND CASE
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

REVOKE ALL ON FUNCTION credit_line_is_sound(t credit_transactions) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_lock_many(p_users uuid[])
 RETURNS credit_accounts[]
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_user uuid;
    v_accounts credit_accounts[];
BEGIN
    IF current_setting('role') <> 'talktime_everyone' THEN
        FOREACH v_user IN ARRAY p_users LOOP
            PERFORM assert_tenant(v_user);
        END LOOP;
    END IF;
    FOR attempt IN 1..2 LOOP
        -- (As rows of the table's type: an array of bare records would be turned into one by way of its text.)
        SELECT array_agg(a.account) INTO v_accounts FROM (
            SELECT c AS account FROM credit_accounts c WHERE c.user_id = ANY (p_users) ORDER BY c.user_id FOR NO KEY UPDATE
        ) a;
        EXIT WHEN cardinality(v_accounts) = (SELECT count(DISTINCT u) FROM unnest(p_users) u);
        -- Rare, and only before a user's first posting; the rows are then locked in the same order as everywhere.
        INSERT INTO credit_accounts (user_id) SELECT DISTINCT u FROM unnest(p_users) u ORDER BY u ON CONFLICT DO NOTHING;
    END LOOP;
    RETURN v_accounts;
END
$function$;

REVOKE ALL ON FUNCTION credit_lock_many(p_users uuid[]) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_new_day(a credit_accounts)
 RETURNS credit_accounts
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    IF (a.spent_until > v_now) IS NOT TRUE THEN
        -- (An account from before the end of the day was kept has its sum of today all the same.)
        SELECT d.today, (d.today + 1)::timestamp AT TIME ZONE d.zone,
            CASE WHEN a.spent_until IS NULL AND a.spent_on = d.today THEN a.spent_today ELSE a.held END
        INTO a.spent_on, a.spent_until, a.spent_today
        FROM (SELECT (v_now AT TIME ZONE u.zone)::date AS today, u.zone FROM users u WHERE u.id = a.user_id) d;
    END IF;
    RETURN a;
END
$function$;

REVOKE ALL ON FUNCTION credit_new_day(a credit_accounts) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_notice(p_user uuid, p_kind text, p_subject text, p_detail jsonb)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    INSERT INTO notices (user_id, id, kind, subject, detail)
    VALUES (p_user, gen_random_uuid(), p_kind, p_subject, p_detail) ON CONFLICT DO NOTHING;
END
$function$;

REVOKE ALL ON FUNCTION credit_notice(p_user uuid, p_kind text, p_subject text, p_detail jsonb) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_price(p_user uuid, p_at timestamp with time zone, p_kind price_kind DEFAULT 'CALL'::price_kind)
 RETURNS prices
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_price prices;
BEGIN
    SELECT * INTO v_price FROM prices WHERE user_id = p_user AND kind = p_kind AND valid_from <= p_at
    ORDER BY valid_from DESC, id DESC LIMIT 1;
    IF NOT FOUND OR v_price.follows_list THEN
        SELECT * INTO v_price FROM prices WHERE user_id IS NULL AND kind = p_kind AND valid_from <= p_at
        ORDER BY valid_from DESC, id DESC LIMIT 1;
    END IF;
    RETURN v_price;
END
$function$;

REVOKE ALL ON FUNCTION credit_price(p_user uuid, p_at timestamp with time zone, p_kind price_kind) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_recharge(INOUT a credit_accounts, INOUT h credit_holds, p_rated bigint, p_reason text, p_actor uuid, OUT delta bigint)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_cost bigint := h.charged + h.corrected;
    v_unbilled bigint := h.unbilled;
    v_today date;
    v_zone text;
BEGIN
    delta := p_rated - v_cost;
    IF delta > 0 THEN
        delta := greatest(0, least(delta, h.held_peak - v_cost, a.balance - a.held + a.grace_limit));
    END IF;
    IF delta <> 0 THEN
        SELECT u.zone INTO v_zone FROM users u WHERE u.id = a.user_id;
        v_today := (clock_timestamp() AT TIME ZONE v_zone)::date;
        IF (h.settled_at AT TIME ZONE v_zone)::date = v_today THEN
            a := credit_spend(a, delta);
        END IF;
        h.corrections := h.corrections + 1;
        h.corrected := h.corrected + delta;
        a := credit_append(
            a, 'ADMIN_ADJUSTMENT', -delta, h.call_id, NULL, 'correction:' || h.call_id || ':' || h.corrections, p_reason, p_actor
        );
    END IF;
    h.unbilled := greatest(0, p_rated - h.charged - h.corrected);
    UPDATE credit_holds u SET
        corrections = h.corrections, corrected = h.corrected, unbilled = h.unbilled,
        corrected_seconds = h.corrected_seconds, not_charged_reason = h.not_charged_reason
    WHERE u.user_id = h.user_id AND u.call_id = h.call_id;
    IF h.unbilled > v_unbilled THEN
        PERFORM credit_alert(a.user_id, 'call_unbilled', jsonb_build_object(
            'call_id', h.call_id, 'credits', h.unbilled - v_unbilled
        ));
    END IF;
END
$function$;

REVOKE ALL ON FUNCTION credit_recharge(INOUT a credit_accounts, INOUT h credit_holds, p_rated bigint, p_reason text, p_actor uuid, OUT delta bigint) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_room(a credit_accounts, p_call uuid, p_held bigint, OUT room bigint, OUT guard text)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_caller text;
    v_begin timestamptz;
    v_spent bigint;
BEGIN
    room := 1000000000000000;
    IF a.day_limit IS NOT NULL THEN
        room := a.day_limit - a.spent_today;
        guard := 'day_limit';
    END IF;
    IF a.call_limit - p_held < room THEN
        room := a.call_limit - p_held;
        guard := 'call_limit';
    END IF;
    IF a.caller_limit IS NOT NULL THEN
        SELECT c.caller INTO v_caller FROM calls c WHERE c.user_id = a.user_id AND c.id = p_call;
        SELECT date_trunc('day', clock_timestamp() AT TIME ZONE u.zone) AT TIME ZONE u.zone INTO v_begin
        FROM users u WHERE u.id = a.user_id;
        -- As the day's sum does: what running calls hold, whenever they began, and what was charged today. (No call lasts
        -- longer than a day.)
        IF v_caller IS NULL THEN
            SELECT coalesce(sum(h.charged + h.corrected), 0) INTO v_spent
            FROM calls c JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id
            WHERE c.user_id = a.user_id AND c.caller IS NULL AND c.started_at >= v_begin - interval '1 day'
                AND h.settled_at >= v_begin;
        ELSE
            SELECT coalesce(sum(h.charged + h.corrected), 0) INTO v_spent
            FROM calls c JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id
            WHERE c.user_id = a.user_id AND c.caller = v_caller AND c.started_at >= v_begin - interval '1 day'
                AND h.settled_at >= v_begin;
        END IF;
        SELECT v_spent + coalesce(sum(h.held), 0) INTO v_spent
        FROM credit_holds h JOIN calls c ON c.user_id = h.user_id AND c.id = h.call_id
        WHERE h.user_id = a.user_id AND h.settled_at IS NULL AND c.caller IS NOT DISTINCT FROM v_caller;
        IF a.caller_limit - v_spent < room THEN
            room := a.caller_limit - v_spent;
            guard := 'caller_limit';
        END IF;
    END IF;
END
$function$;

REVOKE ALL ON FUNCTION credit_room(a credit_accounts, p_call uuid, p_held bigint, OUT room bigint, OUT guard text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_settled_hold(p_user uuid, p_call uuid)
 RETURNS credit_holds
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    h credit_holds;
BEGIN
    SELECT * INTO h FROM credit_holds x WHERE x.user_id = p_user AND x.call_id = p_call FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no hold for call %', p_call USING ERRCODE = 'TT404';
    END IF;
    IF h.settled_at IS NULL THEN
        RAISE EXCEPTION 'call % is not settled yet', p_call USING ERRCODE = 'TT409';
    END IF;
    RETURN h;
END
$function$;

REVOKE ALL ON FUNCTION credit_settled_hold(p_user uuid, p_call uuid) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_spend(a credit_accounts, p_amount bigint)
 RETURNS credit_accounts
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    a := credit_new_day(a);
    a.spent_today := greatest(0, a.spent_today + p_amount);
    RETURN a;
END
$function$;

CREATE OR REPLACE FUNCTION public.credit_store(a credit_accounts)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
BEGIN
    UPDATE credit_accounts SET
        balance = a.balance, held = a.held, grace_limit = a.grace_limit,
        clawback_debt = least(a.clawback_debt, greatest(0, -a.grace_limit - (a.balance - a.held))),
        blocked_reason = a.blocked_reason, open_calls = a.open_calls, max_open_calls = a.max_open_calls,
        spent_on = a.spent_on, spent_until = a.spent_until, spent_today = a.spent_today, seq = a.seq, head = a.head,
        day_limit = a.day_limit, call_limit = a.call_limit, caller_limit = a.caller_limit, low_balance = a.low_balance
    WHERE user_id = a.user_id;
END
$function$;

CREATE OR REPLACE FUNCTION public.credit_tell_refused(a credit_accounts, p_call uuid, p_kind text, p_reason text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_day date;
    v_subject text;
BEGIN
    SELECT (clock_timestamp() AT TIME ZONE u.zone)::date INTO v_day FROM users u WHERE u.id = a.user_id;
    v_subject := p_reason || ':' || v_day;
    IF p_reason = 'call_limit' AND p_kind = 'guard_reached' THEN
        v_subject := p_reason || ':' || p_call;
    ELSIF p_reason = 'caller_limit' THEN
        -- (A call of yesterday's that still runs may be the only one.)
        SELECT p_reason || ':' || v_day || ':' || coalesce(min(o.id::text), p_call::text) INTO v_subject
        FROM calls c JOIN calls o ON o.user_id = c.user_id AND o.caller IS NOT DISTINCT FROM c.caller
        WHERE c.user_id = a.user_id AND c.id = p_call
            AND o.started_at >= (SELECT v_day::timestamp AT TIME ZONE u.zone FROM users u WHERE u.id = a.user_id);
    END IF;
    PERFORM credit_notice(a.user_id, p_kind, v_subject, jsonb_build_object(
        'reason', p_reason, 'on', v_day, 'call_id', p_call,
        'limit', CASE p_reason WHEN 'day_limit' THEN a.day_limit WHEN 'call_limit' THEN a.call_limit
                               WHEN 'caller_limit' THEN a.caller_limit END
    ));
END
$function$;

REVOKE ALL ON FUNCTION credit_tell_refused(a credit_accounts, p_call uuid, p_kind text, p_reason text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.credit_turn_day(p_user uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    a credit_accounts;
BEGIN
    SELECT * INTO a FROM credit_accounts WHERE user_id = p_user;
    PERFORM credit_store(credit_new_day(a));
END
$function$;

REVOKE ALL ON FUNCTION credit_turn_day(p_user uuid) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.cut_v1(p_user uuid, p_call uuid, p_owner text)
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_reason text;
BEGIN
    PERFORM assert_tenant(p_user);
    UPDATE credit_holds h SET cut_claimed_at = v_now
    WHERE h.user_id = p_user AND h.call_id = p_call AND h.settled_at IS NULL AND h.cut_claimed_at IS NULL
        AND h.cut_at <= v_now - CASE WHEN h.lease_owner = p_owner THEN interval '0' ELSE interval '2 seconds' END
    RETURNING h.final_reason INTO v_reason;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- The caller hears nothing of it; the customer is told. (A spend guard has said so when it was reached.)
    IF v_reason IN ('no_credit', 'debt') THEN
        PERFORM credit_notice(p_user, 'credit_exhausted', p_call::text, jsonb_build_object('call_id', p_call));
    END IF;
    RETURN true;
END
$function$;

CREATE OR REPLACE FUNCTION public.decide_claim_v1(p_user uuid, p_call uuid, p_grant boolean, p_actor uuid, p_note text, OUT fresh boolean, OUT state claim_state, OUT amount bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_claim charge_claims;
    v_now timestamptz;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_grant IS NULL OR p_actor IS NULL THEN
        RAISE EXCEPTION 'a decision is yes or no, and somebody''s' USING ERRCODE = 'TT422';
    END IF;
    PERFORM credit_lock(p_user);
    SELECT * INTO v_claim FROM charge_claims c WHERE c.user_id = p_user AND c.call_id = p_call FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nobody said that call % was not real', p_call USING ERRCODE = 'TT404';
    END IF;
    state := CASE WHEN p_grant THEN 'GRANTED' ELSE 'REFUSED' END;
    fresh := v_claim.state = 'REQUESTED';
    IF NOT fresh AND v_claim.state <> state THEN
        RAISE EXCEPTION 'the claim was % already', lower(v_claim.state::text) USING ERRCODE = 'TT409';
    END IF;
    amount := 0;
    IF fresh THEN
        v_now := clock_timestamp();
        UPDATE charge_claims c SET state = decide_claim_v1.state, decided_at = v_now, decided_by = p_actor, note = p_note
        WHERE c.user_id = p_user AND c.call_id = p_call;
        IF p_grant AND NOT EXISTS (
            SELECT FROM credit_holds h WHERE h.user_id = p_user AND h.call_id = p_call AND h.not_charged_reason IS NOT NULL
        ) THEN
            SELECT w.amount INTO amount FROM waive_v1(p_user, p_call, v_claim.reason, p_actor) w;
        END IF;
        PERFORM credit_notice(p_user, 'charge_claim_decided', p_call::text, jsonb_build_object(
            'call_id', p_call, 'granted', p_grant
        ));
    END IF;
END
$function$;

REVOKE ALL ON FUNCTION decide_claim_v1(p_user uuid, p_call uuid, p_grant boolean, p_actor uuid, p_note text, OUT fresh boolean, OUT state claim_state, OUT amount bigint) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.end_leg_v1(p_user uuid, p_leg uuid, p_owner text, p_carrier_seconds integer, p_reason text, OUT fresh boolean, OUT status call_status, OUT seconds integer, OUT charged bigint, OUT unbilled bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    c calls;
    h credit_holds;
    v_now timestamptz := clock_timestamp();
    v_reason text;
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT * INTO c FROM calls x WHERE x.user_id = p_user AND x.id = p_leg FOR NO KEY UPDATE;
    IF NOT FOUND OR c.parent_id IS NULL THEN
        RAISE EXCEPTION 'no leg %', p_leg USING ERRCODE = 'TT404';
    END IF;
    IF p_carrier_seconds < 0 THEN
        RAISE EXCEPTION 'a call lasts 0 seconds or more, not %', p_carrier_seconds USING ERRCODE = 'TT422';
    END IF;
    PERFORM credit_lock(p_user);
    seconds := least(p_carrier_seconds, greatest(0, ceil(extract(epoch FROM v_now - c.started_at))));
    IF c.status = 'RINGING' AND seconds > 0
        AND (SELECT z.claimed FROM answer_v1(p_user, p_leg, p_owner) z) THEN
        UPDATE calls x SET
            status = 'IN_PROGRESS', answered_at = greatest(c.started_at, v_now - end_leg_v1.seconds * interval '1 second')
        WHERE x.user_id = p_user AND x.id = p_leg;
    END IF;
    SELECT * INTO h FROM credit_holds x WHERE x.user_id = p_user AND x.call_id = p_leg FOR NO KEY UPDATE;
    IF h.settled_at IS NULL AND h.lease_owner = p_owner AND h.cut_claimed_at IS NULL AND seconds > h.granted_seconds THEN
        PERFORM extend_v1(p_user, p_leg, p_owner, h.request_no + 1, least(3600, seconds - h.granted_seconds));
    END IF;
    v_reason := CASE
        WHEN h.cut_claimed_at IS NOT NULL AND h.lease_owner IS NOT NULL THEN 'credit_ended'
        ELSE coalesce(p_reason, CASE WHEN h.lease_owner IS NULL THEN 'nobody_answered' ELSE 'leg_ended' END)
    END;
    SELECT z.fresh, z.status, z.seconds, z.charged, z.unbilled INTO fresh, status, seconds, charged, unbilled
    FROM finish_v1(p_user, p_leg, seconds, false, v_reason, p_carrier_seconds) z;
END
$function$;

REVOKE ALL ON FUNCTION end_leg_v1(p_user uuid, p_leg uuid, p_owner text, p_carrier_seconds integer, p_reason text, OUT fresh boolean, OUT status call_status, OUT seconds integer, OUT charged bigint, OUT unbilled bigint) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.extend_many_v1(p_owner text, p_users uuid[], p_calls uuid[], p_request_nos integer[], p_slice_seconds integer DEFAULT 60)
 RETURNS TABLE(user_id uuid, call_id uuid, extended boolean, state hold_state, granted_seconds integer, cut_at timestamp with time zone, held bigint, reason text)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    v_size integer := cardinality(p_users);
    v_now timestamptz;
    v_accounts credit_accounts[];
    v_plain uuid[];
    v_item record;
BEGIN
    IF v_size IS NULL OR v_size NOT BETWEEN 1 AND 10000 OR cardinality(p_calls) IS DISTINCT FROM v_size
        OR cardinality(p_request_nos) IS DISTINCT FROM v_size OR array_position(p_users, NULL) IS NOT NULL
        OR array_position(p_request_nos, NULL) IS NOT NULL OR 1 > ANY (p_request_nos)
        OR p_slice_seconds NOT BETWEEN 1 AND 3600
        OR v_size <> (SELECT count(DISTINCT (u, c)) FROM unnest(p_users, p_calls) i (u, c)) THEN
        RAISE EXCEPTION 'a batch is 1 to 10,000 different calls, each with its user and a number from 1 up, for 1 to 3600 seconds'
            USING ERRCODE = 'TT422';
    END IF;
    v_accounts := credit_lock_many(p_users);
    PERFORM FROM credit_holds h JOIN unnest(p_users, p_calls) i (user_id, call_id) USING (user_id, call_id)
    ORDER BY h.user_id, h.call_id FOR NO KEY UPDATE OF h;
    v_now := clock_timestamp();

    -- Users all of whose calls in the batch are plain.
    SELECT array_agg(w.user_id) INTO v_plain FROM (
        SELECT i.user_id FROM unnest(p_users, p_calls, p_request_nos) i (user_id, call_id, request_no)
        JOIN credit_accounts a ON a.user_id = i.user_id
        LEFT JOIN credit_holds h ON h.user_id = i.user_id AND h.call_id = i.call_id
        GROUP BY i.user_id, a.user_id
        HAVING bool_and(
            h.lease_owner IS NOT DISTINCT FROM p_owner AND h.state IN ('ACTIVE', 'FINAL') AND h.cut_claimed_at IS NULL
            AND i.request_no > h.request_no
            AND a.blocked_reason IS NULL AND a.clawback_debt = 0
            AND a.day_limit IS NULL AND a.call_limit IS NULL AND a.caller_limit IS NULL
        ) IS TRUE AND sum(credit_cost(
            h.granted_seconds + credit_steps(p_slice_seconds, h.increment_seconds), h.credits_per_minute, h.connection_fee,
            h.initial_seconds, h.increment_seconds, 0
        ) - h.held) <= greatest(0, min(a.balance - a.held + a.grace_limit))
    ) w;
    PERFORM credit_turn_day(a.user_id) FROM unnest(v_accounts) a
    WHERE a.user_id = ANY (v_plain) AND (a.spent_until > v_now) IS NOT TRUE;
    RETURN QUERY
    WITH wish AS (
        SELECT h.user_id, h.call_id, i.request_no, h.held AS held_before, g.granted, credit_cost(
            g.granted, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, 0
        ) AS held
        FROM unnest(p_users, p_calls, p_request_nos) i (user_id, call_id, request_no)
        JOIN credit_holds h ON h.user_id = i.user_id AND h.call_id = i.call_id
        CROSS JOIN LATERAL (
            SELECT (h.granted_seconds + credit_steps(p_slice_seconds, h.increment_seconds))::integer AS granted
        ) g
        WHERE i.user_id = ANY (v_plain)
    ), account AS (
        UPDATE credit_accounts a SET
            held = a.held + s.more, spent_today = a.spent_today + s.more
        FROM (
            SELECT w.user_id, sum(w.held - w.held_before) AS more FROM wish w GROUP BY w.user_id
        ) s WHERE a.user_id = s.user_id
    )
    UPDATE credit_holds h SET
        state = 'ACTIVE', granted_seconds = w.granted, held = w.held, held_peak = greatest(h.held_peak, w.held),
        cut_at = h.cut_at + (w.granted - h.granted_seconds) * interval '1 second', request_no = w.request_no,
        final_reason = NULL, lease_until = v_now + interval '45 seconds', lost_at = NULL
    FROM wish w WHERE h.user_id = w.user_id AND h.call_id = w.call_id
    RETURNING h.user_id, h.call_id, true, h.state, h.granted_seconds, h.cut_at, h.held, NULL::text;

    FOR v_item IN
        SELECT i.* FROM unnest(p_users, p_calls, p_request_nos) WITH ORDINALITY i (user_id, call_id, request_no, place)
        WHERE (i.user_id = ANY (v_plain)) IS NOT TRUE ORDER BY i.place
    LOOP
        BEGIN
            RETURN QUERY SELECT v_item.user_id, v_item.call_id, e.extended, e.state, e.granted_seconds, e.cut_at, e.held, e.reason
            FROM extend_v1(v_item.user_id, v_item.call_id, p_owner, v_item.request_no, p_slice_seconds) e;
        EXCEPTION
            WHEN SQLSTATE 'TT410' THEN
                RETURN QUERY SELECT v_item.user_id, v_item.call_id, false, NULL::hold_state, NULL::integer, NULL::timestamptz,
                    NULL::bigint, 'not_owner'::text;
            WHEN SQLSTATE 'TT404' THEN
                RETURN QUERY SELECT v_item.user_id, v_item.call_id, false, NULL::hold_state, NULL::integer, NULL::timestamptz,
                    NULL::bigint, 'no_hold'::text;
        END;
    END LOOP;
END
$function$;

REVOKE ALL ON FUNCTION extend_many_v1(p_owner text, p_users uuid[], p_calls uuid[], p_request_nos integer[], p_slice_seconds integer) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.extend_v1(p_user uuid, p_call uuid, p_owner text, p_request_no integer, p_slice_seconds integer DEFAULT 60, OUT extended boolean, OUT state hold_state, OUT granted_seconds integer, OUT cut_at timestamp with time zone, OUT held bigint, OUT reason text)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    r record;
    v_waited boolean := false;
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
        SELECT a.balance, a.held AS all_held, a.grace_limit, a.clawback_debt, a.blocked_reason,
            a.day_limit IS NOT NULL OR a.call_limit IS NOT NULL OR a.caller_limit IS NOT NULL AS guarded, a.spent_until,
            h.state, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, h.granted_seconds,
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
    IF (r.spent_until > v_now) IS NOT TRUE THEN
        PERFORM credit_turn_day(p_user);
    END IF;
    v_free := greatest(0, r.balance - r.all_held + r.grace_limit);
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
    WHERE user_id = p_user AND call_id = p_call;
    UPDATE credit_accounts SET
        held = held + (extend_v1.held - r.held),
        -- Its owner was away longer than its lease and is back: the slot was given up, the money is still here.
        open_calls = open_calls + CASE WHEN r.state = 'RECONCILE' THEN 1 ELSE 0 END,
        spent_today = greatest(0, spent_today + extend_v1.held - r.held),
        clawback_debt = least(clawback_debt, greatest(0, -grace_limit - (balance - held - (extend_v1.held - r.held))))
    WHERE user_id = p_user;
END
$function$;

CREATE OR REPLACE FUNCTION public.finish_v1(p_user uuid, p_call uuid, p_seconds integer, p_failed boolean, p_reason text, p_carrier_seconds integer DEFAULT NULL::integer, p_not_charged_reason text DEFAULT NULL::text, p_only_if_lost boolean DEFAULT false, OUT fresh boolean, OUT status call_status, OUT seconds integer, OUT charged bigint, OUT unbilled bigint, OUT balance bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    c calls;
    v_now timestamptz;
    v_left timestamptz;
    v_left_seconds integer;
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT * INTO c FROM calls x WHERE x.user_id = p_user AND x.id = p_call FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no call %', p_call USING ERRCODE = 'TT404';
    END IF;
    IF p_only_if_lost THEN
        PERFORM credit_lock(p_user);
        IF NOT EXISTS (
            SELECT FROM credit_holds h WHERE h.user_id = p_user AND h.call_id = p_call AND h.state = 'RECONCILE'
        ) THEN
            fresh := false;
            status := c.status;
            seconds := c.seconds;
            RETURN;
        END IF;
    END IF;
    fresh := c.status IN ('RINGING', 'IN_PROGRESS');
    IF fresh THEN
        v_now := clock_timestamp();
        status := CASE
            WHEN p_failed THEN 'FAILED' WHEN c.status = 'RINGING' THEN 'NO_ANSWER' ELSE 'COMPLETED'
        END;
        seconds := CASE WHEN c.status = 'RINGING' THEN 0 ELSE p_seconds END;
        -- Whoever comes first, the agent's part ended when the caller was put through; to the agent's process that looks
        -- like a caller who hung up.
        v_left := CASE WHEN status = 'COMPLETED' THEN call_left_at(p_user, p_call) END;
        IF v_left IS NOT NULL THEN
            -- A clock that was set back in between makes no talk, and no less than none.
            v_left_seconds := greatest(0, ceil(extract(epoch FROM v_left - c.answered_at)));
            IF NOT EXISTS (
                SELECT FROM calls l WHERE l.user_id = p_user AND l.parent_id = p_call AND l.carrier_call_id <> ''
            ) THEN
                -- The carrier names no leg, so perhaps the agent goes on; what it has proven to have talked is talk.
                v_left_seconds := greatest(v_left_seconds, (
                    SELECT h.used_seconds FROM credit_holds h WHERE h.user_id = p_user AND h.call_id = p_call
                ));
            END IF;
            seconds := least(seconds, v_left_seconds);
        END IF;
        UPDATE calls x SET
            status = finish_v1.status, ended_at = greatest(v_now, x.answered_at),
            end_reason = CASE WHEN v_left IS NULL THEN p_reason ELSE 'transferred' END, seconds = finish_v1.seconds,
            carrier_seconds = coalesce(p_carrier_seconds, x.carrier_seconds)
        WHERE x.user_id = p_user AND x.id = p_call;
    ELSE
        status := c.status;
        seconds := c.seconds;
    END IF;
    IF EXISTS (SELECT FROM credit_holds h WHERE h.user_id = p_user AND h.call_id = p_call) THEN
        SELECT z.charged, z.unbilled, z.balance INTO charged, unbilled, balance
        FROM settle_v1(p_user, p_call, seconds, p_not_charged_reason) z;
        -- The agent said goodbye in time, so nobody had to cut the call off: the customer is told all the same.
        IF fresh AND p_reason = 'credit_ended' AND EXISTS (
            SELECT FROM credit_holds h
            WHERE h.user_id = p_user AND h.call_id = p_call AND h.final_reason IN ('no_credit', 'debt')
        ) THEN
            PERFORM credit_notice(p_user, 'credit_exhausted', p_call::text, jsonb_build_object('call_id', p_call));
        END IF;
        IF fresh AND c.carrier_seconds IS NOT NULL THEN
            -- The carrier's report was here first.
            PERFORM correct_call_v1(p_user, p_call);
        END IF;
    END IF;
END
$function$;

CREATE OR REPLACE FUNCTION public.heartbeat_v1(p_owner text, p_users uuid[], p_calls uuid[], p_used integer[])
 RETURNS TABLE(user_id uuid, call_id uuid)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    v_now timestamptz := clock_timestamp();
    v_user uuid;
BEGIN
    FOREACH v_user IN ARRAY p_users LOOP
        PERFORM assert_tenant(v_user);
    END LOOP;
    RETURN QUERY
    WITH beat AS (
        SELECT h.user_id, h.call_id, b.used
        FROM unnest(p_users, p_calls, p_used) AS b (user_id, call_id, used)
        JOIN credit_holds h ON h.user_id = b.user_id AND h.call_id = b.call_id
        WHERE h.settled_at IS NULL AND h.lease_owner = p_owner AND h.state IN ('ACTIVE', 'FINAL')
        ORDER BY h.user_id, h.call_id
        FOR NO KEY UPDATE OF h
    ), beaten AS (
    UPDATE credit_holds h SET
        lease_until = v_now + interval '45 seconds', used_seconds = greatest(h.used_seconds, beat.used)
    FROM beat WHERE h.user_id = beat.user_id AND h.call_id = beat.call_id
    RETURNING h.user_id, h.call_id, h.cut_claimed_at
    )
    SELECT beaten.user_id, beaten.call_id FROM beaten WHERE beaten.cut_claimed_at IS NULL;
END
$function$;

CREATE OR REPLACE FUNCTION public.invoices_append_only()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION 'documents of money are append-only: % of % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'TT409';
END
$function$;

REVOKE ALL ON FUNCTION invoices_append_only() FROM PUBLIC;

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
    IF p_is_guess AND EXISTS (
        SELECT FROM calls x
        WHERE x.user_id = p_user AND x.parent_id = c.parent_id AND x.started_at > c.started_at AND (
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

REVOKE ALL ON FUNCTION name_leg_v1(p_user uuid, p_leg uuid, p_carrier text, p_carrier_call_id text, p_is_guess boolean) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.note_costs_v1(p_user uuid, p_call uuid, p_providers text[], p_kinds cost_kind[], p_quantities bigint[], p_estimated boolean[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    v_began timestamptz;
BEGIN
    PERFORM assert_tenant(p_user);
    SELECT c.started_at INTO v_began FROM calls c WHERE c.user_id = p_user AND c.id = p_call;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no call %', p_call USING ERRCODE = 'TT404';
    END IF;
    INSERT INTO call_costs AS k (user_id, call_id, provider, kind, quantity, estimated, amount_micros, currency)
    SELECT p_user, p_call, u.provider, u.kind, u.quantity, u.estimated, a.amount_micros, a.currency
    FROM unnest(p_providers, p_kinds, p_quantities, p_estimated) AS u (provider, kind, quantity, estimated)
    CROSS JOIN LATERAL cost_amount(u.provider, u.kind, u.quantity, v_began) a
    ORDER BY u.provider, u.kind
    ON CONFLICT (user_id, call_id, provider, kind) DO UPDATE SET
        quantity = excluded.quantity, estimated = excluded.estimated,
        amount_micros = excluded.amount_micros, currency = excluded.currency
    WHERE excluded.quantity > k.quantity AND NOT k.reported;
END
$function$;

REVOKE ALL ON FUNCTION note_costs_v1(p_user uuid, p_call uuid, p_providers text[], p_kinds cost_kind[], p_quantities bigint[], p_estimated boolean[]) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.payout_v1(p_user uuid, p_reference text, p_actor uuid, OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    a credit_accounts;
    t credit_transactions;
BEGIN
    PERFORM assert_tenant(p_user);
    IF btrim(coalesce(p_reference, '')) = '' OR p_actor IS NULL THEN
        RAISE EXCEPTION 'a payout needs a reference and who makes it' USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    SELECT * INTO t FROM credit_transactions c WHERE c.user_id = p_user AND c.reference = 'payout:' || p_reference;
    fresh := NOT FOUND;
    IF fresh THEN
        IF a.blocked_reason IS DISTINCT FROM 'closed' THEN
            RAISE EXCEPTION 'only a closed account is paid out: close it first' USING ERRCODE = 'TT409';
        END IF;
        IF a.held > 0 OR EXISTS (SELECT FROM credit_holds h WHERE h.user_id = p_user AND h.settled_at IS NULL) THEN
            RAISE EXCEPTION 'calls of this account are not settled yet' USING ERRCODE = 'TT409';
        END IF;
        -- After so long the company is not asked again under the same key: what it did by then, its events have told.
        IF EXISTS (
            SELECT FROM refund_requests r
            WHERE r.user_id = p_user AND r.state = 'ASKED' AND r.created_at > clock_timestamp() - interval '20 hours'
        ) THEN
            RAISE EXCEPTION 'a refund to this customer is on its way: wait for it, then pay out what is left'
                USING ERRCODE = 'TT409';
        END IF;
        IF a.balance <= 0 THEN
            RAISE EXCEPTION 'there is nothing to pay out: the balance is %', a.balance USING ERRCODE = 'TT402';
        END IF;
        a := credit_append(
            a, 'ADMIN_ADJUSTMENT', -a.balance, NULL, NULL, 'payout:' || p_reference, 'payout of what is left at closing', p_actor
        );
        PERFORM credit_store(a);
        SELECT * INTO STRICT t FROM credit_transactions c WHERE c.user_id = p_user AND c.seq = a.seq;
    END IF;
    seq := t.seq;
    amount := t.amount;
    balance_after := t.balance_after;
END
$function$;

REVOKE ALL ON FUNCTION payout_v1(p_user uuid, p_reference text, p_actor uuid, OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.post_many_v1(p_users uuid[], p_references text[], p_amounts bigint[], p_reasons text[], p_actor uuid, p_as_debt boolean DEFAULT false)
 RETURNS TABLE(user_id uuid, reference text, fresh boolean, seq bigint, amount bigint, balance_after bigint)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    v_size integer := cardinality(p_users);
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
    WHERE p_actor IS NULL OR coalesce(i.reference, '') !~ '\S' OR coalesce(i.reason, '') !~ '\S'
        OR i.reference ~ '^(correction|rent|refund|dispute|payout):'
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

REVOKE ALL ON FUNCTION post_many_v1(p_users uuid[], p_references text[], p_amounts bigint[], p_reasons text[], p_actor uuid, p_as_debt boolean) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.prices_stay()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION 'a price is never removed, a newer one replaces it: % refused', TG_OP USING ERRCODE = 'TT409';
END
$function$;

REVOKE ALL ON FUNCTION prices_stay() FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.rent_v1(p_user uuid, p_number uuid, p_month date, p_credits bigint, OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    a credit_accounts;
    t credit_transactions;
    v_reference text := 'rent:' || p_number || ':' || to_char(p_month, 'YYYY-MM');
BEGIN
    PERFORM assert_tenant(p_user);
    IF v_reference IS NULL OR p_credits IS NULL OR p_credits NOT BETWEEN 1 AND 1000000000000 THEN
        RAISE EXCEPTION 'rent is for a number and a month, and 1 to 1,000,000,000,000 credits' USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    SELECT * INTO t FROM credit_transactions c WHERE c.user_id = p_user AND c.reference = v_reference;
    fresh := NOT FOUND;
    IF fresh THEN
        a.clawback_debt := greatest(a.clawback_debt, -a.grace_limit - (a.balance - p_credits - a.held));
        a := credit_append(
            a, 'ADMIN_ADJUSTMENT', -p_credits, NULL, NULL, v_reference, 'rent of a number for ' || to_char(p_month, 'YYYY-MM'), NULL
        );
        PERFORM credit_store(a);
        SELECT * INTO STRICT t FROM credit_transactions c WHERE c.user_id = p_user AND c.seq = a.seq;
    ELSIF t.amount <> -p_credits THEN
        RAISE EXCEPTION 'the rent of this month was % credits', -t.amount USING ERRCODE = 'TT409';
    END IF;
    seq := t.seq;
    amount := t.amount;
    balance_after := t.balance_after;
END
$function$;

REVOKE ALL ON FUNCTION rent_v1(p_user uuid, p_number uuid, p_month date, p_credits bigint, OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.reverse_v1(p_user uuid, p_purchase uuid, p_type transaction_type, p_reference text, p_credits bigint, OUT fresh boolean, OUT taken bigint, OUT lost bigint, OUT balance bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    a credit_accounts;
    v_purchase purchases;
    v_known credit_reversals;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_credits IS NULL OR p_credits = 0 OR p_credits NOT BETWEEN -1000000000000 AND 1000000000000 THEN
        RAISE EXCEPTION 'a reversal is 1 to 1,000,000,000,000 credits either way, not %', p_credits USING ERRCODE = 'TT422';
    END IF;
    IF (p_type = 'REFUND' AND p_reference ~ '^refund:[^:\s]+(:failed)?$') IS NOT TRUE
        AND (p_type = 'DISPUTE' AND p_reference ~ '^dispute:[^:\s]+:(withdrawn|reinstated)$') IS NOT TRUE THEN
        RAISE EXCEPTION 'a % is not referred to as %', p_type, p_reference USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    SELECT * INTO v_purchase FROM purchases p WHERE p.user_id = p_user AND p.id = p_purchase FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no purchase %', p_purchase USING ERRCODE = 'TT404';
    END IF;
    SELECT * INTO v_known FROM credit_reversals r WHERE r.user_id = p_user AND r.reference = p_reference;
    fresh := NOT FOUND;
    IF NOT fresh THEN
        IF v_known.purchase_id <> p_purchase OR v_known.type <> p_type OR v_known.asked <> p_credits THEN
            RAISE EXCEPTION 'reference % was used for another reversal', p_reference USING ERRCODE = 'TT409';
        END IF;
        taken := v_known.taken;
        lost := greatest(0, v_known.asked - v_known.taken);
        balance := a.balance;
        RETURN;
    END IF;
    IF v_purchase.credited_at IS NULL THEN
        RAISE EXCEPTION 'purchase % was never credited', p_purchase USING ERRCODE = 'TT409';
    END IF;
    taken := CASE
        WHEN p_credits > 0 THEN least(p_credits, v_purchase.credits - v_purchase.reversed_credits)
        ELSE greatest(p_credits, -v_purchase.reversed_credits)
    END;
    lost := greatest(0, p_credits - taken);
    INSERT INTO credit_reversals (user_id, reference, purchase_id, type, asked, taken)
    VALUES (p_user, p_reference, p_purchase, p_type, p_credits, taken);
    IF taken <> 0 THEN
        UPDATE purchases p SET reversed_credits = p.reversed_credits + taken WHERE p.user_id = p_user AND p.id = p_purchase;
        a.clawback_debt := greatest(a.clawback_debt, -a.grace_limit - (a.balance - taken - a.held));
        a := credit_append(a, p_type, -taken, NULL, p_purchase, p_reference, NULL, NULL);
        PERFORM credit_store(a);
    END IF;
    IF lost > 0 THEN
        PERFORM credit_alert(p_user, 'reversal_short', jsonb_build_object(
            'purchase_id', p_purchase, 'reference', p_reference, 'credits', lost
        ));
    END IF;
    balance := a.balance;
END
$function$;

REVOKE ALL ON FUNCTION reverse_v1(p_user uuid, p_purchase uuid, p_type transaction_type, p_reference text, p_credits bigint, OUT fresh boolean, OUT taken bigint, OUT lost bigint, OUT balance bigint) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.set_guards_v1(p_user uuid, p_day bigint, p_call bigint, p_caller bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    a credit_accounts;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_day NOT BETWEEN 0 AND 1000000000000 OR p_call NOT BETWEEN 0 AND 1000000000000
        OR p_caller NOT BETWEEN 0 AND 1000000000000 THEN
        RAISE EXCEPTION 'a limit is 0 to 1,000,000,000,000 credits, or none' USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    a.day_limit := p_day;
    a.call_limit := p_call;
    a.caller_limit := p_caller;
    PERFORM credit_store(a);
END
$function$;

REVOKE ALL ON FUNCTION set_guards_v1(p_user uuid, p_day bigint, p_call bigint, p_caller bigint) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.set_low_balance_v1(p_user uuid, p_threshold bigint)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    a credit_accounts;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_threshold NOT BETWEEN 0 AND 1000000000000 THEN
        RAISE EXCEPTION 'a threshold is 0 to 1,000,000,000,000 credits, or none' USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    a.low_balance := p_threshold;
    PERFORM credit_store(a);
END
$function$;

REVOKE ALL ON FUNCTION set_low_balance_v1(p_user uuid, p_threshold bigint) FROM PUBLIC;

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
    PERFORM credit_turn_day(a.user_id) FROM unnest(v_accounts) a WHERE (a.spent_until > v_now) IS NOT TRUE;
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

REVOKE ALL ON FUNCTION settle_many_v1(p_users uuid[], p_calls uuid[], p_seconds integer[]) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.settle_v1(p_user uuid, p_call uuid, p_seconds integer, p_not_charged_reason text DEFAULT NULL::text, OUT fresh boolean, OUT state hold_state, OUT charged bigint, OUT unbilled bigint, OUT balance bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    r record;
    v_waited boolean := false;
    v_now timestamptz;
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
        -- The account is locked first, then the hold. A call that nobody ever owned was never answered, and costs nothing
        -- whatever anybody measured.
        SELECT a.balance, a.seq, a.head, a.low_balance, a.spent_until, h.state, h.held, h.lease_owner, h.settled_at,
            CASE WHEN h.lease_owner IS NULL OR p_not_charged_reason IS NOT NULL THEN 0 ELSE credit_cost(
                p_seconds, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, h.free_seconds
            ) END AS rated
        INTO r
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
    fresh := r.settled_at IS NULL;
    IF NOT fresh THEN
        SELECT r.state, h.charged, h.unbilled, r.balance INTO state, charged, unbilled, balance
        FROM credit_holds h WHERE h.user_id = p_user AND h.call_id = p_call;
        RETURN;
    END IF;

    v_now := clock_timestamp();
    IF (r.spent_until > v_now) IS NOT TRUE THEN
        PERFORM credit_turn_day(p_user);
    END IF;
    state := CASE WHEN r.lease_owner IS NULL THEN 'RELEASED' ELSE 'SETTLED' END;
    charged := least(r.rated, r.held);
    unbilled := r.rated - charged;
    balance := r.balance - charged;
    v_usage := least(charged, greatest(r.balance, 0));
    IF v_usage > 0 THEN
        INSERT INTO credit_transactions (user_id, seq, type, amount, balance_after, call_id, created_at, hash)
        VALUES (
            p_user, r.seq + 1, 'CALL_USAGE', -v_usage, r.balance - v_usage, p_call, v_now,
            credit_line_hash(r.head, p_user, r.seq + 1, 'CALL_USAGE', -v_usage, r.balance - v_usage, p_call, NULL, NULL, NULL,
                             NULL, v_now)
        ) RETURNING seq, hash INTO v_seq, v_head;
    END IF;
    IF charged > v_usage THEN
        INSERT INTO credit_transactions (user_id, seq, type, amount, balance_after, call_id, created_at, hash)
        VALUES (
            p_user, coalesce(v_seq, r.seq) + 1, 'GRACE_USAGE', v_usage - settle_v1.charged, settle_v1.balance, p_call, v_now,
            credit_line_hash(coalesce(v_head, r.head), p_user, coalesce(v_seq, r.seq) + 1, 'GRACE_USAGE',
                             v_usage - settle_v1.charged, settle_v1.balance, p_call, NULL, NULL, NULL, NULL, v_now)
        ) RETURNING seq, hash INTO v_seq, v_head;
    END IF;
    UPDATE credit_holds SET
        state = settle_v1.state, held = 0, charged = settle_v1.charged, unbilled = settle_v1.unbilled, settled_at = v_now,
        settled_seconds = p_seconds, not_charged_reason = p_not_charged_reason
    WHERE user_id = p_user AND call_id = p_call;
    UPDATE credit_accounts SET
        balance = settle_v1.balance, held = held - r.held, seq = coalesce(v_seq, seq), head = coalesce(v_head, head),
        open_calls = open_calls - CASE WHEN r.state IN ('AUTHORISED', 'ACTIVE', 'FINAL') THEN 1 ELSE 0 END,
        spent_today = greatest(0, spent_today + settle_v1.charged - r.held),
        clawback_debt = least(clawback_debt, greatest(0, -grace_limit - (settle_v1.balance - (held - r.held))))
    WHERE user_id = p_user;
    IF unbilled > 0 OR r.low_balance > balance THEN
        IF unbilled > 0 THEN
            PERFORM credit_alert(p_user, 'call_unbilled', jsonb_build_object('call_id', p_call, 'credits', settle_v1.unbilled));
        END IF;
        IF r.low_balance > balance AND r.low_balance <= r.balance THEN
            PERFORM credit_notice(p_user, 'low_balance', v_seq::text, jsonb_build_object(
                'balance', settle_v1.balance, 'threshold', r.low_balance
            ));
        END IF;
    END IF;
END
$function$;

CREATE OR REPLACE FUNCTION public.verify_accounts_v2(p_from uuid, p_to uuid)
 RETURNS TABLE(user_id uuid, seq bigint, problem text)
 LANGUAGE sql
 STABLE
AS $function$
    WITH account AS MATERIALIZED (
        SELECT a.*, coalesce(t.seq, 0) AS line_seq, coalesce(t.balance_after, 0) AS line_balance,
            coalesce(t.hash, '\x'::bytea) AS line_hash, h.held AS holds, h.open AS opened
        FROM credit_accounts a
        LEFT JOIN LATERAL (
            SELECT t.seq, t.balance_after, t.hash FROM credit_transactions t
            WHERE t.user_id = a.user_id ORDER BY t.seq DESC LIMIT 1
        ) t ON true
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(h.held), 0) AS held,
                count(*) FILTER (WHERE h.state IN ('AUTHORISED', 'ACTIVE', 'FINAL')) AS open
            FROM credit_holds h WHERE h.user_id = a.user_id AND h.settled_at IS NULL
        ) h
        WHERE a.user_id >= p_from AND a.user_id < p_to
    )
    SELECT a.user_id, a.seq, p.problem FROM account a CROSS JOIN LATERAL (VALUES
        (CASE WHEN a.seq <> a.line_seq THEN format('the account counts %s lines, the newest is %s', a.seq, a.line_seq) END),
        (CASE WHEN a.balance <> a.line_balance
            THEN format('balance %s, but the newest line says %s', a.balance, a.line_balance) END),
        (CASE WHEN a.head <> a.line_hash THEN 'the head is not the hash of the newest line' END),
        (CASE WHEN a.held <> a.holds THEN format('held %s, but open holds sum to %s', a.held, a.holds) END),
        (CASE WHEN a.open_calls <> a.opened THEN format('%s open calls, but %s open holds', a.open_calls, a.opened) END),
        (CASE WHEN a.balance - a.held < -a.grace_limit - a.clawback_debt THEN 'overspent'
            WHEN a.clawback_debt <> greatest(0, -a.grace_limit - (a.balance - a.held)) THEN format('debt %s, but %s are missing',
                a.clawback_debt, greatest(0, -a.grace_limit - (a.balance - a.held))) END)
    ) AS p (problem)
    WHERE (a.seq <> a.line_seq OR a.balance <> a.line_balance OR a.head <> a.line_hash OR a.held <> a.holds
            OR a.open_calls <> a.opened OR a.clawback_debt <> greatest(0, -a.grace_limit - (a.balance - a.held)))
        AND p.problem IS NOT NULL
    UNION ALL
    SELECT u.id, NULL, 'there are lines or holds, and no account'
    FROM users u LEFT JOIN credit_accounts a ON a.user_id = u.id
    WHERE u.id >= p_from AND u.id < p_to AND a.user_id IS NULL
        AND (EXISTS (SELECT FROM credit_transactions t WHERE t.user_id = u.id)
            OR EXISTS (SELECT FROM credit_holds h WHERE h.user_id = u.id))
    UNION ALL
    SELECT p.user_id, t.seq, format('purchase %s: credited %s, its line says %s', p.id,
                                    CASE WHEN p.credited_at IS NULL THEN 0 ELSE p.credits END, coalesce(t.amount, 0))
    FROM purchases p
    LEFT JOIN credit_transactions t ON t.user_id = p.user_id AND t.purchase_id = p.id AND t.type = 'PURCHASE'
    WHERE p.user_id >= p_from AND p.user_id < p_to
        AND coalesce(t.amount, 0) <> CASE WHEN p.credited_at IS NULL THEN 0 ELSE p.credits END
    UNION ALL
    SELECT t.user_id, t.seq, format('the line credits purchase %s, which is not there', t.purchase_id)
    FROM credit_transactions t LEFT JOIN purchases p ON p.user_id = t.user_id AND p.id = t.purchase_id
    WHERE t.user_id >= p_from AND t.user_id < p_to AND t.type = 'PURCHASE' AND p.id IS NULL
    UNION ALL
    SELECT coalesce(v.user_id, t.user_id), t.seq, format('reversal %s: %s credits taken, its line says %s',
        coalesce(v.reference, t.reference), coalesce(v.taken, 0), -coalesce(t.amount, 0))
    FROM (SELECT * FROM credit_reversals x WHERE x.user_id >= p_from AND x.user_id < p_to) v
    FULL JOIN (
        SELECT x.* FROM credit_transactions x
        WHERE x.user_id >= p_from AND x.user_id < p_to AND x.reference IS NOT NULL AND x.type IN ('REFUND', 'DISPUTE')
            AND (x.reference LIKE 'refund:%' OR x.reference LIKE 'dispute:%')
    ) t ON t.user_id = v.user_id AND t.reference = v.reference AND t.purchase_id = v.purchase_id AND t.type = v.type
    WHERE coalesce(v.taken, 0) <> -coalesce(t.amount, 0)
    UNION ALL
    SELECT p.user_id, NULL, format('purchase %s over %s: %s credits reversed, its lines say %s', p.id, p.credits,
                                   p.reversed_credits, -coalesce(r.amount, 0))
    FROM purchases p LEFT JOIN (
        SELECT t.user_id, t.purchase_id, sum(t.amount) AS amount FROM credit_transactions t
        WHERE t.user_id >= p_from AND t.user_id < p_to AND t.reference IS NOT NULL AND t.type IN ('REFUND', 'DISPUTE')
            AND (t.reference LIKE 'refund:%' OR t.reference LIKE 'dispute:%')
        GROUP BY t.user_id, t.purchase_id
    ) r ON r.user_id = p.user_id AND r.purchase_id = p.id
    WHERE p.user_id >= p_from AND p.user_id < p_to
        AND (p.reversed_credits <> -coalesce(r.amount, 0) OR -coalesce(r.amount, 0) NOT BETWEEN 0 AND p.credits)
    UNION ALL
    SELECT d.user_id, NULL, format('the directory points at purchase %s, which is not there', d.purchase_id)
    FROM purchase_directory d LEFT JOIN purchases p ON p.user_id = d.user_id AND p.id = d.purchase_id
    WHERE d.user_id >= p_from AND d.user_id < p_to AND p.id IS NULL
$function$;

REVOKE ALL ON FUNCTION verify_accounts_v2(p_from uuid, p_to uuid) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.verify_calls_v2(p_from uuid, p_from_call uuid, p_to uuid, p_to_call uuid)
 RETURNS TABLE(user_id uuid, seq bigint, problem text)
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_sort TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_nestloop TO 'off'
 SET enable_hashagg TO 'off'
 SET jit TO 'off'
AS $function$
#variable_conflict use_column
BEGIN
    -- One pass over the three; each hold has a call, each charge a hold.
    RETURN QUERY
    SELECT coalesce(h.user_id, t.user_id), t.seq, CASE
        WHEN coalesce(t.amount, 0) <> -coalesce(h.cost, 0) THEN
            format('call %s: its lines sum to %s, its hold says %s', coalesce(h.call_id, t.call_id), coalesce(t.amount, 0),
                   -coalesce(h.cost, 0))
        WHEN h.cost NOT BETWEEN 0 AND h.held_peak THEN
            format('call %s: %s were charged, %s held', h.call_id, h.cost, h.held_peak)
        WHEN h.is_closed IS DISTINCT FROM h.is_over THEN
            format('call %s: its hold is %s, the call %s', h.call_id, h.state, coalesce(h.status::text, 'not there'))
        ELSE format('call %s: its hold outlives its lease by more than 120 seconds', h.call_id)
    END
    FROM (
        SELECT x.user_id, x.call_id, x.charged + x.corrected AS cost, x.held_peak, x.state, x.lease_until, c.status,
            x.settled_at IS NOT NULL AS is_closed, c.status NOT IN ('RINGING', 'IN_PROGRESS') AS is_over
        FROM credit_holds x LEFT JOIN calls c ON c.user_id = x.user_id AND c.id = x.call_id
            AND (c.user_id, c.id) >= (p_from, p_from_call) AND (c.user_id, c.id) < (p_to, p_to_call)
        WHERE (x.user_id, x.call_id) >= (p_from, p_from_call) AND (x.user_id, x.call_id) < (p_to, p_to_call)
    ) h
    FULL JOIN (
        SELECT l.user_id, l.call_id, sum(l.amount) AS amount, max(l.seq) AS seq FROM credit_transactions l
        WHERE l.call_id IS NOT NULL AND (l.user_id, l.call_id) >= (p_from, p_from_call)
            AND (l.user_id, l.call_id) < (p_to, p_to_call)
        GROUP BY l.user_id, l.call_id
    ) t ON t.user_id = h.user_id AND t.call_id = h.call_id
    WHERE coalesce(t.amount, 0) <> -coalesce(h.cost, 0)
        OR h.cost NOT BETWEEN 0 AND h.held_peak
        OR h.is_closed <> coalesce(h.is_over, NOT h.is_closed)
        OR NOT h.is_closed AND h.lease_until < statement_timestamp() - interval '120 seconds';

    RETURN QUERY
    SELECT c.user_id, NULL::bigint, format('call %s is %s and has no hold', c.id, c.status)
    FROM calls c
    WHERE c.status IN ('RINGING', 'IN_PROGRESS') AND c.user_id BETWEEN p_from AND p_to
        AND (c.user_id, c.id) >= (p_from, p_from_call) AND (c.user_id, c.id) < (p_to, p_to_call)
        AND NOT EXISTS (SELECT FROM credit_holds h WHERE h.user_id = c.user_id AND h.call_id = c.id);

    RETURN QUERY
    SELECT d.user_id, NULL::bigint, format('the directory points at call %s, which is not there', d.call_id)
    FROM (
        SELECT * FROM call_directory x WHERE (x.user_id, x.call_id) >= (p_from, p_from_call)
            AND (x.user_id, x.call_id) < (p_to, p_to_call)
    ) d
    LEFT JOIN (
        SELECT * FROM calls x WHERE (x.user_id, x.id) >= (p_from, p_from_call) AND (x.user_id, x.id) < (p_to, p_to_call)
    ) c ON c.user_id = d.user_id AND c.id = d.call_id
    WHERE c.id IS NULL;
END
$function$;

REVOKE ALL ON FUNCTION verify_calls_v2(p_from uuid, p_from_call uuid, p_to uuid, p_to_call uuid) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.verify_lines_v2(p_from uuid, p_after_seq bigint, p_to uuid, p_to_seq bigint)
 RETURNS TABLE(user_id uuid, seq bigint, problem text)
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_sort TO 'off'
 SET jit TO 'off'
AS $function$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH wrong AS MATERIALIZED (
        -- Number, balance and hash of the line before come in one piece: looking back costs more than the hash.
        SELECT l.*, ('x' || encode(substr(l.previous, 1, 8), 'hex'))::bit(64)::bigint AS previous_seq,
            ('x' || encode(substr(l.previous, 9, 8), 'hex'))::bit(64)::bigint AS previous_balance,
            NOT credit_line_is_genuine(l.hash, substr(l.previous, 17), l.user_id, l.seq, l.type, l.amount, l.balance_after,
                l.call_id, l.purchase_id, l.reference, l.reason, l.actor_id, l.created_at) AS is_forged
        FROM (
            SELECT t.*, lag(int8send(t.seq) || int8send(t.balance_after) || t.hash, 1, '\x00000000000000000000000000000000'::bytea)
                OVER (PARTITION BY t.user_id ORDER BY t.seq) AS previous
            FROM credit_transactions t
            WHERE (t.user_id, t.seq) >= (p_from, p_after_seq) AND (t.user_id, t.seq) <= (p_to, p_to_seq)
        ) l
        WHERE (
            int8send(l.seq - 1) || int8send(l.balance_after - l.amount) <> substr(l.previous, 1, 16)
            OR NOT credit_line_is_genuine(l.hash, substr(l.previous, 17), l.user_id, l.seq, l.type, l.amount, l.balance_after,
                l.call_id, l.purchase_id, l.reference, l.reason, l.actor_id, l.created_at)
        ) AND (l.user_id, l.seq) > (p_from, p_after_seq)
    )
    SELECT w.user_id, w.seq, p.problem FROM wrong w CROSS JOIN LATERAL (VALUES
        (CASE WHEN w.seq <> w.previous_seq + 1 THEN format('line %s follows line %s', w.seq, w.previous_seq) END),
        (CASE WHEN w.balance_after <> w.previous_balance + w.amount
            THEN format('balance %s is not %s %s', w.balance_after, w.previous_balance, to_char(w.amount, 'SG999999999999999999')) END),
        (CASE WHEN w.is_forged THEN 'the hash does not match the line' END)
    ) AS p (problem) WHERE p.problem IS NOT NULL;
END
$function$;

REVOKE ALL ON FUNCTION verify_lines_v2(p_from uuid, p_after_seq bigint, p_to uuid, p_to_seq bigint) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.verify_new_calls_v2(p_from uuid, p_to uuid)
 RETURNS TABLE(user_id uuid, seq bigint, problem text)
 LANGUAGE sql
 STABLE
AS $function$
    WITH touched AS (
        SELECT DISTINCT t.user_id, t.call_id
        FROM credit_accounts a LEFT JOIN ledger_checkpoints c ON c.user_id = a.user_id
        JOIN credit_transactions t ON t.user_id = a.user_id AND t.seq > coalesce(c.seq, 0)
        WHERE a.user_id >= p_from AND a.user_id < p_to AND t.call_id IS NOT NULL
        UNION
        SELECT h.user_id, h.call_id FROM credit_holds h
        WHERE h.user_id >= p_from AND h.user_id < p_to AND h.settled_at IS NULL
        UNION
        SELECT c.user_id, c.id FROM calls c
        WHERE c.user_id >= p_from AND c.user_id < p_to AND c.status IN ('RINGING', 'IN_PROGRESS')
    ), found AS (
        SELECT x.user_id, x.call_id, h.charged + h.corrected AS cost, h.held_peak, h.state, h.settled_at, h.lease_until, c.status,
            l.amount, l.seq
        FROM touched x
        LEFT JOIN credit_holds h ON h.user_id = x.user_id AND h.call_id = x.call_id
        LEFT JOIN calls c ON c.user_id = x.user_id AND c.id = x.call_id
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(t.amount), 0) AS amount, max(t.seq) AS seq FROM credit_transactions t
            WHERE t.user_id = x.user_id AND t.call_id = x.call_id
        ) l
    )
    SELECT f.user_id, f.seq, p.problem FROM found f CROSS JOIN LATERAL (VALUES
        (CASE WHEN f.amount <> -coalesce(f.cost, 0)
            THEN format('call %s: its lines sum to %s, its hold says %s', f.call_id, f.amount, -coalesce(f.cost, 0)) END),
        (CASE WHEN f.cost NOT BETWEEN 0 AND f.held_peak
            THEN format('call %s: %s were charged, %s held', f.call_id, f.cost, f.held_peak) END),
        (CASE WHEN f.settled_at IS NULL AND f.lease_until < statement_timestamp() - interval '120 seconds'
            THEN format('call %s: its hold outlives its lease by more than 120 seconds', f.call_id) END),
        (CASE WHEN f.state IS NULL THEN format('call %s is %s and has no hold', f.call_id, f.status)
            WHEN (f.settled_at IS NOT NULL) <> (f.status NOT IN ('RINGING', 'IN_PROGRESS'))
            THEN format('call %s: its hold is %s, the call %s', f.call_id, f.state, f.status) END)
    ) AS p (problem) WHERE p.problem IS NOT NULL
$function$;

REVOKE ALL ON FUNCTION verify_new_calls_v2(p_from uuid, p_to uuid) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.verify_new_lines_v2(p_from uuid, p_to uuid)
 RETURNS TABLE(user_id uuid, seq bigint, problem text)
 LANGUAGE sql
 STABLE
AS $function$
    WITH line AS (
        SELECT t.*, coalesce(lag(t.seq) OVER w, c.seq, 0) AS previous_seq,
            coalesce(lag(t.balance_after) OVER w, c.balance, 0) AS previous_balance,
            coalesce(lag(t.hash) OVER w, c.hash, '\x'::bytea) AS previous_hash
        FROM credit_accounts a LEFT JOIN ledger_checkpoints c ON c.user_id = a.user_id
        JOIN credit_transactions t ON t.user_id = a.user_id AND t.seq > coalesce(c.seq, 0)
        WHERE a.user_id >= p_from AND a.user_id < p_to
        WINDOW w AS (PARTITION BY t.user_id ORDER BY t.seq)
    ), wrong AS MATERIALIZED (
        SELECT l.*, NOT credit_line_is_genuine(l.hash, l.previous_hash, l.user_id, l.seq, l.type, l.amount, l.balance_after,
            l.call_id, l.purchase_id, l.reference, l.reason, l.actor_id, l.created_at) AS is_forged
        FROM line l
    )
    SELECT w.user_id, w.seq, p.problem FROM wrong w CROSS JOIN LATERAL (VALUES
        (CASE WHEN w.seq <> w.previous_seq + 1 THEN format('line %s follows line %s', w.seq, w.previous_seq) END),
        (CASE WHEN w.balance_after <> w.previous_balance + w.amount
            THEN format('balance %s is not %s %s', w.balance_after, w.previous_balance, to_char(w.amount, 'SG999999999999999999')) END),
        (CASE WHEN w.is_forged THEN 'the hash does not match the line' END)
    ) AS p (problem)
    WHERE (w.seq <> w.previous_seq + 1 OR w.balance_after <> w.previous_balance + w.amount OR w.is_forged)
        AND p.problem IS NOT NULL
    UNION ALL
    SELECT c.user_id, c.seq, 'the line is not the one that was verified'
    FROM ledger_checkpoints c LEFT JOIN credit_transactions t ON t.user_id = c.user_id AND t.seq = c.seq
    WHERE c.user_id >= p_from AND c.user_id < p_to
        AND (t.hash IS DISTINCT FROM c.hash OR t.balance_after IS DISTINCT FROM c.balance)
$function$;

REVOKE ALL ON FUNCTION verify_new_lines_v2(p_from uuid, p_to uuid) FROM PUBLIC;

CREATE OR REPLACE FUNCTION public.waive_v1(p_user uuid, p_call uuid, p_reason text, p_actor uuid, OUT fresh boolean, OUT amount bigint, OUT balance bigint)
 RETURNS record
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'public', 'pg_temp'
AS $function$
DECLARE
    a credit_accounts;
    h credit_holds;
    r record;
    v_delta bigint := 0;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_reason IS NULL OR p_reason NOT IN ('platform_fault', 'wrong_number', 'spam', 'not_a_call') OR p_actor IS NULL THEN
        RAISE EXCEPTION 'a call is not charged because of platform_fault, wrong_number, spam or not_a_call, and by somebody'
            USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    h := credit_settled_hold(p_user, p_call);
    IF h.state <> 'SETTLED' THEN
        RAISE EXCEPTION 'call % was never charged', p_call USING ERRCODE = 'TT409';
    END IF;
    fresh := h.not_charged_reason IS NULL;
    IF fresh THEN
        h.not_charged_reason := p_reason;
        SELECT * INTO r FROM credit_recharge(a, h, 0, 'not charged: ' || p_reason, p_actor);
        a := r.a;
        v_delta := r.delta;
        PERFORM credit_store(a);
    ELSIF h.not_charged_reason <> p_reason THEN
        RAISE EXCEPTION 'call % is not charged already, because of %', p_call, h.not_charged_reason USING ERRCODE = 'TT409';
    END IF;
    amount := -v_delta;
    balance := a.balance;
END
$function$;

REVOKE ALL ON FUNCTION waive_v1(p_user uuid, p_call uuid, p_reason text, p_actor uuid, OUT fresh boolean, OUT amount bigint, OUT balance bigint) FROM PUBLIC;
ALTER TABLE approvals ADD CONSTRAINT pk_approvals PRIMARY KEY (id);
ALTER TABLE billing_details ADD CONSTRAINT pk_billing_details PRIMARY KEY (user_id);
ALTER TABLE call_costs ADD CONSTRAINT pk_call_costs PRIMARY KEY (user_id, call_id, provider, kind);
ALTER TABLE charge_claims ADD CONSTRAINT pk_charge_claims PRIMARY KEY (user_id, call_id);
ALTER TABLE cost_rates ADD CONSTRAINT pk_cost_rates PRIMARY KEY (provider, kind, valid_from);
ALTER TABLE credit_reversals ADD CONSTRAINT pk_credit_reversals PRIMARY KEY (user_id, reference);
ALTER TABLE invoice_numbers ADD CONSTRAINT pk_invoice_numbers PRIMARY KEY (series, no);
ALTER TABLE invoice_series ADD CONSTRAINT pk_invoice_series PRIMARY KEY (series);
ALTER TABLE invoices ADD CONSTRAINT pk_invoices PRIMARY KEY (user_id, id);
ALTER TABLE notices ADD CONSTRAINT pk_notices PRIMARY KEY (user_id, id);
ALTER TABLE payment_reversals ADD CONSTRAINT pk_payment_reversals PRIMARY KEY (user_id, id);
ALTER TABLE payment_rounds ADD CONSTRAINT pk_payment_rounds PRIMARY KEY (gateway);
ALTER TABLE purchase_directory ADD CONSTRAINT pk_purchase_directory PRIMARY KEY (user_id, purchase_id);
ALTER TABLE refund_requests ADD CONSTRAINT pk_refund_requests PRIMARY KEY (user_id, request_key);
ALTER TABLE top_ups ADD CONSTRAINT pk_top_ups PRIMARY KEY (user_id);
ALTER TABLE ungranted_payments ADD CONSTRAINT pk_ungranted_payments PRIMARY KEY (gateway, payment_id);
ALTER TABLE ungranted_reversals ADD CONSTRAINT pk_ungranted_reversals PRIMARY KEY (gateway, id);
ALTER TABLE alerts ADD CONSTRAINT ck_alerts_acknowledged_by CHECK (((acknowledged_at IS NULL) = (acknowledged_by IS NULL)));
ALTER TABLE alerts ADD CONSTRAINT ck_alerts_detail CHECK ((jsonb_typeof(detail) = 'object'::text));
ALTER TABLE alerts ADD CONSTRAINT ck_alerts_mailed_with CHECK (((mailed_at IS NULL) OR (digest_id IS NOT NULL)));
ALTER TABLE alerts ADD CONSTRAINT ck_alerts_note CHECK (((note IS NULL) OR ((acknowledged_at IS NOT NULL) AND (length(note) <= 1000))));
ALTER TABLE approvals ADD CONSTRAINT ck_approvals_amount CHECK ((amount <> 0));
ALTER TABLE approvals ADD CONSTRAINT ck_approvals_decided CHECK (((state = 'PENDING'::approval_state) = ((decided_by IS NULL) AND (decided_at IS NULL))));
ALTER TABLE approvals ADD CONSTRAINT ck_approvals_second_person CHECK ((decided_by <> requested_by));
ALTER TABLE billing_details ADD CONSTRAINT ck_billing_details_country CHECK ((country ~ '^([A-Z]{2})?$'::text));
ALTER TABLE billing_details ADD CONSTRAINT ck_billing_details_texts CHECK (((length(name) <= 200) AND (length(address) <= 500) AND (length(vat_id) <= 40) AND (length(email) <= 254)));
ALTER TABLE call_costs ADD CONSTRAINT ck_call_costs_amount_has_currency CHECK (((amount_micros IS NULL) = (currency IS NULL)));
ALTER TABLE call_costs ADD CONSTRAINT ck_call_costs_amounts CHECK (((quantity >= 0) AND (amount_micros >= 0) AND (asked >= 0)));
ALTER TABLE call_costs ADD CONSTRAINT ck_call_costs_currency CHECK ((currency ~ '^[A-Z]{3}$'::text));
ALTER TABLE call_costs ADD CONSTRAINT ck_call_costs_provider CHECK (((length(provider) >= 1) AND (length(provider) <= 200)));
ALTER TABLE call_costs ADD CONSTRAINT ck_call_costs_reported_is_known CHECK (((NOT reported) OR (amount_micros IS NOT NULL)));
ALTER TABLE calls ADD CONSTRAINT ck_calls_leg_goes_out CHECK (((parent_id IS NULL) OR ((direction = 'OUTBOUND'::call_direction) AND (parent_id <> id))));
ALTER TABLE calls ADD CONSTRAINT ck_calls_named_or_leg CHECK (((carrier_call_id <> ''::text) OR (parent_id IS NOT NULL)));
ALTER TABLE charge_claims ADD CONSTRAINT ck_charge_claims_decided_at CHECK (((state = 'REQUESTED'::claim_state) = (decided_at IS NULL)));
ALTER TABLE charge_claims ADD CONSTRAINT ck_charge_claims_decided_by CHECK (((decided_by IS NOT NULL) OR automatic OR (state = 'REQUESTED'::claim_state)));
ALTER TABLE cost_rates ADD CONSTRAINT ck_cost_rates_amount_micros CHECK (((amount_micros >= 0) AND (amount_micros <= '1000000000000'::bigint)));
ALTER TABLE cost_rates ADD CONSTRAINT ck_cost_rates_currency CHECK ((currency ~ '^[A-Z]{3}$'::text));
ALTER TABLE cost_rates ADD CONSTRAINT ck_cost_rates_provider CHECK (((length(provider) >= 1) AND (length(provider) <= 200)));
ALTER TABLE cost_rates ADD CONSTRAINT ck_cost_rates_units CHECK (((units >= 1) AND (units <= 1000000000)));
ALTER TABLE credit_accounts ADD CONSTRAINT ck_credit_accounts_sound CHECK (credit_account_is_sound(credit_accounts.*));
ALTER TABLE credit_holds ADD CONSTRAINT ck_credit_holds_sound CHECK (credit_hold_is_sound(credit_holds.*));
ALTER TABLE credit_reversals ADD CONSTRAINT ck_credit_reversals_taken CHECK (((asked <> 0) AND (((sign((asked)::double precision) * (taken)::double precision) >= (0)::double precision) AND ((sign((asked)::double precision) * (taken)::double precision) <= (abs(asked))::double precision))));
ALTER TABLE credit_reversals ADD CONSTRAINT ck_credit_reversals_type CHECK ((type = ANY (ARRAY['REFUND'::transaction_type, 'DISPUTE'::transaction_type])));
ALTER TABLE credit_transactions ADD CONSTRAINT ck_credit_transactions_sound CHECK (credit_line_is_sound(credit_transactions.*));
ALTER TABLE invoice_series ADD CONSTRAINT ck_invoice_series_last_no CHECK ((last_no >= 1));
ALTER TABLE invoice_series ADD CONSTRAINT ck_invoice_series_series CHECK ((series ~ '^[A-Z0-9-]{1,20}$'::text));
ALTER TABLE invoices ADD CONSTRAINT ck_invoices_credit_note CHECK (((kind = 'INVOICE'::invoice_kind) OR ((reversal_id IS NOT NULL) AND (refers_to IS NOT NULL))));
ALTER TABLE invoices ADD CONSTRAINT ck_invoices_sums CHECK ((((net_minor + vat_minor) = gross_minor) AND (gross_minor > 0) AND (vat_minor >= 0)));
ALTER TABLE invoices ADD CONSTRAINT ck_invoices_vat_basis_points CHECK (((vat_basis_points >= 0) AND (vat_basis_points <= 10000)));
ALTER TABLE notices ADD CONSTRAINT ck_notices_detail CHECK ((jsonb_typeof(detail) = 'object'::text));
ALTER TABLE notices ADD CONSTRAINT ck_notices_dropped_reason CHECK (((dropped_at IS NULL) = (dropped_reason IS NULL)));
ALTER TABLE notices ADD CONSTRAINT ck_notices_one_end CHECK (((mailed_at IS NULL) OR (dropped_at IS NULL)));
ALTER TABLE notices ADD CONSTRAINT ck_notices_texts CHECK ((((length(kind) >= 1) AND (length(kind) <= 100)) AND ((length(subject) >= 1) AND (length(subject) <= 200))));
ALTER TABLE notices ADD CONSTRAINT ck_notices_tries CHECK ((tries >= 0));
ALTER TABLE payment_reversals ADD CONSTRAINT ck_payment_reversals_amounts CHECK (((amount_minor > 0) AND (withdrawn_minor >= 0) AND (reinstated_minor >= 0)));
ALTER TABLE payment_reversals ADD CONSTRAINT ck_payment_reversals_id CHECK ((id ~ '^[A-Za-z0-9_]{1,150}$'::text));
ALTER TABLE payment_reversals ADD CONSTRAINT ck_payment_reversals_state_of_kind CHECK (((kind = 'REFUND'::reversal_kind) = (state = ANY (ARRAY['PENDING'::reversal_state, 'SUCCEEDED'::reversal_state, 'FAILED'::reversal_state, 'CANCELED'::reversal_state]))));
ALTER TABLE prices ADD CONSTRAINT ck_prices_follows_list CHECK (((NOT follows_list) OR (user_id IS NOT NULL)));
ALTER TABLE purchases ADD CONSTRAINT ck_purchases_request_key CHECK (((length(request_key) >= 1) AND (length(request_key) <= 200)));
ALTER TABLE refund_requests ADD CONSTRAINT ck_refund_requests_amount_minor CHECK ((amount_minor > 0));
ALTER TABLE refund_requests ADD CONSTRAINT ck_refund_requests_refund_id CHECK (((state = 'DONE'::refund_request_state) = (refund_id IS NOT NULL)));
ALTER TABLE refund_requests ADD CONSTRAINT ck_refund_requests_request_key CHECK (((length(request_key) >= 1) AND (length(request_key) <= 200)));
ALTER TABLE top_ups ADD CONSTRAINT ck_top_ups_ceiling_minor CHECK (((ceiling_minor >= 1) AND (ceiling_minor <= '1000000000000'::bigint)));
ALTER TABLE top_ups ADD CONSTRAINT ck_top_ups_declines CHECK ((declines >= 0));
ALTER TABLE top_ups ADD CONSTRAINT ck_top_ups_enabled CHECK (((NOT enabled) OR ((threshold IS NOT NULL) AND (pack_id IS NOT NULL) AND (credits IS NOT NULL) AND (price_minor IS NOT NULL) AND (currency IS NOT NULL) AND (ceiling_minor IS NOT NULL) AND (consented_at IS NOT NULL) AND (gateway IS NOT NULL) AND (customer_id IS NOT NULL) AND (payment_method_id IS NOT NULL))));
ALTER TABLE top_ups ADD CONSTRAINT ck_top_ups_threshold CHECK (((threshold >= 1) AND (threshold <= '1000000000000'::bigint)));
ALTER TABLE ungranted_reversals ADD CONSTRAINT ck_ungranted_reversals_amounts CHECK (((amount_minor > 0) AND (withdrawn_minor >= 0) AND (reinstated_minor >= 0)));
ALTER TABLE ungranted_reversals ADD CONSTRAINT ck_ungranted_reversals_state_of_kind CHECK (((kind = 'REFUND'::reversal_kind) = (state = ANY (ARRAY['PENDING'::reversal_state, 'SUCCEEDED'::reversal_state, 'FAILED'::reversal_state, 'CANCELED'::reversal_state]))));
CREATE INDEX ix_alerts_kind ON public.alerts USING btree (kind);
CREATE INDEX ix_alerts_unmailed ON public.alerts USING btree (created_at) WHERE (mailed_at IS NULL);
CREATE INDEX ix_approvals_pending ON public.approvals USING btree (created_at) WHERE (state = 'PENDING'::approval_state);
CREATE INDEX ix_call_costs_ask_at ON public.call_costs USING btree (ask_at) WHERE (ask_at IS NOT NULL);
CREATE INDEX ix_call_costs_unknown ON public.call_costs USING btree (provider, kind) WHERE (amount_micros IS NULL);
CREATE INDEX ix_calls_loose ON public.calls USING btree (ended_at) WHERE ((parent_id IS NOT NULL) AND (carrier_seconds IS NULL) AND (end_reason = ANY (ARRAY['lost'::text, 'never_answered'::text, 'never_dialled'::text])));
CREATE INDEX ix_calls_user_id_caller ON public.calls USING btree (user_id, caller, started_at) WHERE (caller IS NOT NULL);
CREATE INDEX ix_calls_user_id_parent_id ON public.calls USING btree (user_id, parent_id) WHERE (parent_id IS NOT NULL);
CREATE INDEX ix_charge_claims_requested ON public.charge_claims USING btree (created_at) WHERE (state = 'REQUESTED'::claim_state);
CREATE INDEX ix_credit_reversals_purchase ON public.credit_reversals USING btree (user_id, purchase_id);
CREATE INDEX ix_invoices_user_id_issued_at ON public.invoices USING btree (user_id, issued_at, id);
CREATE INDEX ix_notices_unsent ON public.notices USING btree (not_before) WHERE ((mailed_at IS NULL) AND (dropped_at IS NULL));
CREATE INDEX ix_payment_reversals_purchase ON public.payment_reversals USING btree (user_id, purchase_id);
CREATE INDEX ix_prices_user_id_kind_valid_from ON public.prices USING btree (user_id, kind, valid_from);
CREATE INDEX ix_provider_events_unhandled ON public.provider_events USING btree (received_at) WHERE ((handled_at IS NULL) AND (gave_up_at IS NULL));
CREATE INDEX ix_purchases_unfinished ON public.purchases USING btree (created_at) WHERE (state = ANY (ARRAY['OPEN'::purchase_state, 'PENDING'::purchase_state]));
CREATE INDEX ix_refund_requests_purchase ON public.refund_requests USING btree (user_id, purchase_id);
CREATE INDEX ix_top_ups_enabled ON public.top_ups USING btree (user_id) WHERE enabled;
CREATE INDEX ix_ungranted_reversals_payment ON public.ungranted_reversals USING btree (gateway, payment_id);
CREATE UNIQUE INDEX uq_approvals_user_id_reference ON public.approvals USING btree (user_id, reference);

CREATE UNIQUE INDEX uq_credit_transactions_call ON public.credit_transactions USING btree (user_id, call_id, (
CASE type
    WHEN 'CALL_USAGE'::transaction_type THEN ('-1'::integer)::bigint
    WHEN 'GRACE_USAGE'::transaction_type THEN ('-2'::integer)::bigint
    ELSE seq
END)) WHERE (call_id IS NOT NULL);

CREATE UNIQUE INDEX uq_credit_transactions_reference ON public.credit_transactions USING btree (user_id, reference) WHERE (reference IS NOT NULL);
CREATE UNIQUE INDEX uq_invoice_numbers_invoice ON public.invoice_numbers USING btree (user_id, invoice_id);
CREATE UNIQUE INDEX uq_invoices_number ON public.invoices USING btree (user_id, number);
CREATE UNIQUE INDEX uq_invoices_purchase ON public.invoices USING btree (user_id, purchase_id) WHERE ((kind = 'INVOICE'::invoice_kind) AND (reversal_id IS NULL));
CREATE UNIQUE INDEX uq_invoices_reversal ON public.invoices USING btree (user_id, reversal_id, kind) WHERE (reversal_id IS NOT NULL);
CREATE UNIQUE INDEX uq_notices_user_id_kind_subject ON public.notices USING btree (user_id, kind, subject);
CREATE UNIQUE INDEX uq_purchase_directory_checkout ON public.purchase_directory USING btree (gateway, checkout_id);
CREATE UNIQUE INDEX uq_purchases_top_up_in_flight ON public.purchases USING btree (user_id) WHERE ((kind = 'TOP_UP'::purchase_kind) AND (state = ANY (ARRAY['OPEN'::purchase_state, 'PENDING'::purchase_state])));
CREATE UNIQUE INDEX uq_purchases_user_id_request_key ON public.purchases USING btree (user_id, request_key);
ALTER TABLE approvals ADD CONSTRAINT fk_approvals_decided_by FOREIGN KEY (decided_by) REFERENCES users(id);
ALTER TABLE approvals ADD CONSTRAINT fk_approvals_requested_by FOREIGN KEY (requested_by) REFERENCES users(id);
ALTER TABLE approvals ADD CONSTRAINT fk_approvals_user_id FOREIGN KEY (user_id) REFERENCES users(id);
ALTER TABLE billing_details ADD CONSTRAINT fk_billing_details_user_id FOREIGN KEY (user_id) REFERENCES users(id);
ALTER TABLE call_costs ADD CONSTRAINT fk_call_costs_user_id_call_id FOREIGN KEY (user_id, call_id) REFERENCES calls(user_id, id);
ALTER TABLE calls ADD CONSTRAINT fk_calls_user_id_parent_id FOREIGN KEY (user_id, parent_id) REFERENCES calls(user_id, id);
ALTER TABLE charge_claims ADD CONSTRAINT fk_charge_claims_decided_by FOREIGN KEY (decided_by) REFERENCES users(id);
ALTER TABLE charge_claims ADD CONSTRAINT fk_charge_claims_user_id_call_id FOREIGN KEY (user_id, call_id) REFERENCES credit_holds(user_id, call_id);
ALTER TABLE credit_reversals ADD CONSTRAINT fk_credit_reversals_user_id_purchase_id FOREIGN KEY (user_id, purchase_id) REFERENCES purchases(user_id, id);
ALTER TABLE invoices ADD CONSTRAINT fk_invoices_user_id_purchase_id FOREIGN KEY (user_id, purchase_id) REFERENCES purchases(user_id, id);
ALTER TABLE notices ADD CONSTRAINT fk_notices_user_id FOREIGN KEY (user_id) REFERENCES users(id);
ALTER TABLE payment_reversals ADD CONSTRAINT fk_payment_reversals_user_id_purchase_id FOREIGN KEY (user_id, purchase_id) REFERENCES purchases(user_id, id);
ALTER TABLE prices ADD CONSTRAINT fk_prices_created_by FOREIGN KEY (created_by) REFERENCES users(id);
ALTER TABLE refund_requests ADD CONSTRAINT fk_refund_requests_actor_id FOREIGN KEY (actor_id) REFERENCES users(id);
ALTER TABLE refund_requests ADD CONSTRAINT fk_refund_requests_user_id_purchase_id FOREIGN KEY (user_id, purchase_id) REFERENCES purchases(user_id, id);
ALTER TABLE top_ups ADD CONSTRAINT fk_top_ups_pack_id FOREIGN KEY (pack_id) REFERENCES credit_packs(id);
ALTER TABLE top_ups ADD CONSTRAINT fk_top_ups_user_id FOREIGN KEY (user_id) REFERENCES users(id);
ALTER TABLE ungranted_reversals ADD CONSTRAINT fk_ungranted_reversals_gateway_payment_id FOREIGN KEY (gateway, payment_id) REFERENCES ungranted_payments(gateway, payment_id);
CREATE TRIGGER calls_cost_carrier AFTER UPDATE OF status, carrier_seconds ON public.calls FOR EACH ROW WHEN ((new.ended_at IS NOT NULL)) EXECUTE FUNCTION calls_cost_carrier();
CREATE TRIGGER credit_accounts_no_truncate BEFORE TRUNCATE ON public.credit_accounts FOR EACH STATEMENT EXECUTE FUNCTION credit_accounts_stay();
CREATE TRIGGER credit_accounts_stay BEFORE DELETE OR UPDATE OF user_id ON public.credit_accounts FOR EACH STATEMENT EXECUTE FUNCTION credit_accounts_stay();
CREATE TRIGGER invoice_numbers_append_only BEFORE DELETE OR UPDATE ON public.invoice_numbers FOR EACH ROW EXECUTE FUNCTION invoices_append_only();
CREATE TRIGGER invoice_numbers_no_truncate BEFORE TRUNCATE ON public.invoice_numbers FOR EACH STATEMENT EXECUTE FUNCTION invoices_append_only();
CREATE TRIGGER invoices_append_only BEFORE DELETE OR UPDATE ON public.invoices FOR EACH ROW EXECUTE FUNCTION invoices_append_only();
CREATE TRIGGER invoices_no_truncate BEFORE TRUNCATE ON public.invoices FOR EACH STATEMENT EXECUTE FUNCTION invoices_append_only();
CREATE TRIGGER prices_no_truncate BEFORE TRUNCATE ON public.prices FOR EACH STATEMENT EXECUTE FUNCTION prices_stay();
CREATE TRIGGER prices_stay BEFORE DELETE OR UPDATE OF id ON public.prices FOR EACH ROW EXECUTE FUNCTION prices_stay();
CREATE POLICY everyone ON alerts AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON alerts AS PERMISSIVE FOR INSERT TO talktime WITH CHECK ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON billing_details AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON billing_details AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON call_costs AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY everyone ON charge_claims AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON charge_claims AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON credit_reversals AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON credit_reversals AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON invoices AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON invoices AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON notices AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON notices AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON payment_reversals AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON payment_reversals AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON refund_requests AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON refund_requests AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
CREATE POLICY everyone ON top_ups AS PERMISSIVE FOR ALL TO talktime_everyone USING (true);
CREATE POLICY own ON top_ups AS PERMISSIVE FOR ALL TO talktime USING ((user_id = (NULLIF(current_setting('talktime.user_id'::text, true), ''::text))::uuid));
GRANT INSERT (detail) ON TABLE alerts TO talktime;
GRANT INSERT (id) ON TABLE alerts TO talktime;
GRANT INSERT (kind) ON TABLE alerts TO talktime;
GRANT INSERT (user_id) ON TABLE alerts TO talktime;
GRANT UPDATE (amount_micros) ON TABLE call_costs TO talktime_everyone;
GRANT UPDATE (ask_at) ON TABLE call_costs TO talktime_everyone;
GRANT UPDATE (asked) ON TABLE call_costs TO talktime_everyone;
GRANT UPDATE (currency) ON TABLE call_costs TO talktime_everyone;
GRANT UPDATE (reported) ON TABLE call_costs TO talktime_everyone;
GRANT INSERT (detail) ON TABLE notices TO talktime;
GRANT INSERT (detail) ON TABLE notices TO talktime_everyone;
GRANT UPDATE (dropped_at) ON TABLE notices TO talktime_everyone;
GRANT UPDATE (dropped_reason) ON TABLE notices TO talktime_everyone;
GRANT INSERT (id) ON TABLE notices TO talktime;
GRANT INSERT (id) ON TABLE notices TO talktime_everyone;
GRANT INSERT (kind) ON TABLE notices TO talktime;
GRANT INSERT (kind) ON TABLE notices TO talktime_everyone;
GRANT UPDATE (mailed_at) ON TABLE notices TO talktime_everyone;
GRANT UPDATE (not_before) ON TABLE notices TO talktime_everyone;
GRANT INSERT (subject) ON TABLE notices TO talktime;
GRANT INSERT (subject) ON TABLE notices TO talktime_everyone;
GRANT UPDATE (tries) ON TABLE notices TO talktime_everyone;
GRANT INSERT (user_id) ON TABLE notices TO talktime;
GRANT INSERT (user_id) ON TABLE notices TO talktime_everyone;
GRANT INSERT (cancel_url) ON TABLE purchases TO talktime_everyone;
GRANT INSERT (checkout_url), UPDATE (checkout_url) ON TABLE purchases TO talktime_everyone;
GRANT INSERT (customer_id) ON TABLE purchases TO talktime_everyone;
GRANT INSERT (expires_at), UPDATE (expires_at) ON TABLE purchases TO talktime_everyone;
GRANT INSERT (failure), UPDATE (failure) ON TABLE purchases TO talktime_everyone;
GRANT INSERT (kind) ON TABLE purchases TO talktime_everyone;
GRANT INSERT (name) ON TABLE purchases TO talktime_everyone;
GRANT INSERT (payment_method_id) ON TABLE purchases TO talktime_everyone;
GRANT INSERT (request_key) ON TABLE purchases TO talktime_everyone;
GRANT INSERT (save_card) ON TABLE purchases TO talktime_everyone;
GRANT INSERT (success_url) ON TABLE purchases TO talktime_everyone;
GRANT INSERT (test) ON TABLE purchases TO talktime_everyone;
GRANT INSERT (ceiling_minor), UPDATE (ceiling_minor) ON TABLE top_ups TO talktime;
GRANT INSERT (consented_at), UPDATE (consented_at) ON TABLE top_ups TO talktime;
GRANT INSERT (credits), UPDATE (credits) ON TABLE top_ups TO talktime;
GRANT INSERT (currency), UPDATE (currency) ON TABLE top_ups TO talktime;
GRANT INSERT (declines), UPDATE (declines) ON TABLE top_ups TO talktime;
GRANT INSERT (enabled), UPDATE (enabled) ON TABLE top_ups TO talktime;
GRANT INSERT (not_before), UPDATE (not_before) ON TABLE top_ups TO talktime;
GRANT INSERT (pack_id), UPDATE (pack_id) ON TABLE top_ups TO talktime;
GRANT INSERT (price_minor), UPDATE (price_minor) ON TABLE top_ups TO talktime;
GRANT INSERT (stopped_reason), UPDATE (stopped_reason) ON TABLE top_ups TO talktime;
GRANT INSERT (threshold), UPDATE (threshold) ON TABLE top_ups TO talktime;
GRANT INSERT (updated_at), UPDATE (updated_at) ON TABLE top_ups TO talktime;
GRANT INSERT (user_id) ON TABLE top_ups TO talktime;
GRANT EXECUTE ON FUNCTION begin_leg_v1(p_user uuid, p_parent uuid, p_leg uuid, p_dialled text, p_is_ordinary boolean, OUT fresh boolean, OUT allowed boolean, OUT reason text, OUT granted_seconds integer, OUT carrier text, OUT parent_name text, OUT agent_seconds integer, OUT seconds_max integer) TO talktime;
GRANT EXECUTE ON FUNCTION begin_leg_v1(p_user uuid, p_parent uuid, p_leg uuid, p_dialled text, p_is_ordinary boolean, OUT fresh boolean, OUT allowed boolean, OUT reason text, OUT granted_seconds integer, OUT carrier text, OUT parent_name text, OUT agent_seconds integer, OUT seconds_max integer) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION claim_v1(p_user uuid, p_call uuid, p_reason text, OUT fresh boolean, OUT state claim_state, OUT credits bigint) TO talktime;
GRANT EXECUTE ON FUNCTION claim_v1(p_user uuid, p_call uuid, p_reason text, OUT fresh boolean, OUT state claim_state, OUT credits bigint) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION close_v1(p_user uuid) TO talktime;
GRANT EXECUTE ON FUNCTION close_v1(p_user uuid) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION correct_call_v1(p_user uuid, p_call uuid, OUT corrected boolean, OUT amount bigint) TO talktime;
GRANT EXECUTE ON FUNCTION correct_call_v1(p_user uuid, p_call uuid, OUT corrected boolean, OUT amount bigint) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION correct_v1(p_user uuid, p_call uuid, p_seconds integer, OUT fresh boolean, OUT amount bigint, OUT charged bigint, OUT unbilled bigint, OUT balance bigint) TO talktime;
GRANT EXECUTE ON FUNCTION correct_v1(p_user uuid, p_call uuid, p_seconds integer, OUT fresh boolean, OUT amount bigint, OUT charged bigint, OUT unbilled bigint, OUT balance bigint) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION cost_amount(p_provider text, p_kind cost_kind, p_quantity bigint, p_at timestamp with time zone, OUT amount_micros bigint, OUT currency text) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION credit_line_hash_1(p_previous bytea, p_user uuid, p_seq bigint, p_type transaction_type, p_amount bigint, p_balance_after bigint, p_call uuid, p_purchase uuid, p_reference text, p_reason text, p_actor uuid, p_created_at timestamp with time zone) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION credit_line_is_genuine(p_hash bytea, p_previous bytea, p_user uuid, p_seq bigint, p_type transaction_type, p_amount bigint, p_balance_after bigint, p_call uuid, p_purchase uuid, p_reference text, p_reason text, p_actor uuid, p_created_at timestamp with time zone) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION decide_claim_v1(p_user uuid, p_call uuid, p_grant boolean, p_actor uuid, p_note text, OUT fresh boolean, OUT state claim_state, OUT amount bigint) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION end_leg_v1(p_user uuid, p_leg uuid, p_owner text, p_carrier_seconds integer, p_reason text, OUT fresh boolean, OUT status call_status, OUT seconds integer, OUT charged bigint, OUT unbilled bigint) TO talktime;
GRANT EXECUTE ON FUNCTION end_leg_v1(p_user uuid, p_leg uuid, p_owner text, p_carrier_seconds integer, p_reason text, OUT fresh boolean, OUT status call_status, OUT seconds integer, OUT charged bigint, OUT unbilled bigint) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION extend_many_v1(p_owner text, p_users uuid[], p_calls uuid[], p_request_nos integer[], p_slice_seconds integer) TO talktime;
GRANT EXECUTE ON FUNCTION extend_many_v1(p_owner text, p_users uuid[], p_calls uuid[], p_request_nos integer[], p_slice_seconds integer) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION name_leg_v1(p_user uuid, p_leg uuid, p_carrier text, p_carrier_call_id text, p_is_guess boolean) TO talktime;
GRANT EXECUTE ON FUNCTION name_leg_v1(p_user uuid, p_leg uuid, p_carrier text, p_carrier_call_id text, p_is_guess boolean) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION note_costs_v1(p_user uuid, p_call uuid, p_providers text[], p_kinds cost_kind[], p_quantities bigint[], p_estimated boolean[]) TO talktime;
GRANT EXECUTE ON FUNCTION note_costs_v1(p_user uuid, p_call uuid, p_providers text[], p_kinds cost_kind[], p_quantities bigint[], p_estimated boolean[]) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION payout_v1(p_user uuid, p_reference text, p_actor uuid, OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION post_many_v1(p_users uuid[], p_references text[], p_amounts bigint[], p_reasons text[], p_actor uuid, p_as_debt boolean) TO talktime;
GRANT EXECUTE ON FUNCTION post_many_v1(p_users uuid[], p_references text[], p_amounts bigint[], p_reasons text[], p_actor uuid, p_as_debt boolean) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION rent_v1(p_user uuid, p_number uuid, p_month date, p_credits bigint, OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint) TO talktime;
GRANT EXECUTE ON FUNCTION rent_v1(p_user uuid, p_number uuid, p_month date, p_credits bigint, OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION reverse_v1(p_user uuid, p_purchase uuid, p_type transaction_type, p_reference text, p_credits bigint, OUT fresh boolean, OUT taken bigint, OUT lost bigint, OUT balance bigint) TO talktime;
GRANT EXECUTE ON FUNCTION reverse_v1(p_user uuid, p_purchase uuid, p_type transaction_type, p_reference text, p_credits bigint, OUT fresh boolean, OUT taken bigint, OUT lost bigint, OUT balance bigint) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION set_guards_v1(p_user uuid, p_day bigint, p_call bigint, p_caller bigint) TO talktime;
GRANT EXECUTE ON FUNCTION set_guards_v1(p_user uuid, p_day bigint, p_call bigint, p_caller bigint) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION set_low_balance_v1(p_user uuid, p_threshold bigint) TO talktime;
GRANT EXECUTE ON FUNCTION set_low_balance_v1(p_user uuid, p_threshold bigint) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION settle_many_v1(p_users uuid[], p_calls uuid[], p_seconds integer[]) TO talktime;
GRANT EXECUTE ON FUNCTION settle_many_v1(p_users uuid[], p_calls uuid[], p_seconds integer[]) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION verify_accounts_v2(p_from uuid, p_to uuid) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION verify_calls_v2(p_from uuid, p_from_call uuid, p_to uuid, p_to_call uuid) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION verify_lines_v2(p_from uuid, p_after_seq bigint, p_to uuid, p_to_seq bigint) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION verify_new_calls_v2(p_from uuid, p_to uuid) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION verify_new_lines_v2(p_from uuid, p_to uuid) TO talktime_everyone;
GRANT EXECUTE ON FUNCTION waive_v1(p_user uuid, p_call uuid, p_reason text, p_actor uuid, OUT fresh boolean, OUT amount bigint, OUT balance bigint) TO talktime_everyone;
GRANT INSERT, SELECT, UPDATE ON TABLE approvals TO talktime_everyone;
GRANT INSERT, SELECT, UPDATE ON TABLE billing_details TO talktime;
GRANT INSERT, SELECT, UPDATE ON TABLE billing_details TO talktime_everyone;
GRANT SELECT ON TABLE call_costs TO talktime_everyone;
GRANT SELECT ON TABLE charge_claims TO talktime;
GRANT SELECT ON TABLE charge_claims TO talktime_everyone;
GRANT INSERT, SELECT ON TABLE cost_rates TO talktime_everyone;
GRANT SELECT ON TABLE credit_reversals TO talktime;
GRANT SELECT ON TABLE credit_reversals TO talktime_everyone;
GRANT INSERT, SELECT ON TABLE invoice_numbers TO talktime_everyone;
GRANT INSERT, SELECT, UPDATE ON TABLE invoice_series TO talktime_everyone;
GRANT SELECT ON TABLE invoices TO talktime;
GRANT INSERT, SELECT ON TABLE invoices TO talktime_everyone;
GRANT SELECT ON TABLE notices TO talktime;
GRANT SELECT ON TABLE notices TO talktime_everyone;
GRANT SELECT ON TABLE payment_reversals TO talktime;
GRANT INSERT, SELECT, UPDATE ON TABLE payment_reversals TO talktime_everyone;
GRANT INSERT, SELECT, UPDATE ON TABLE payment_rounds TO talktime_everyone;
GRANT DELETE, INSERT, SELECT, UPDATE ON TABLE provider_events TO talktime_everyone;
GRANT SELECT ON TABLE refund_requests TO talktime;
GRANT INSERT, SELECT, UPDATE ON TABLE refund_requests TO talktime_everyone;
GRANT SELECT ON TABLE top_ups TO talktime;
GRANT INSERT, SELECT, UPDATE ON TABLE top_ups TO talktime_everyone;
GRANT INSERT, SELECT ON TABLE ungranted_payments TO talktime_everyone;
GRANT INSERT, SELECT, UPDATE ON TABLE ungranted_reversals TO talktime_everyone;
