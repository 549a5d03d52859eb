CREATE TYPE role AS ENUM ('USER', 'ADMIN');

CREATE TYPE user_status AS ENUM ('ACTIVE', 'SUSPENDED', 'CLOSED');

CREATE TYPE hold_state AS ENUM ('DENIED', 'AUTHORISED', 'ACTIVE', 'FINAL', 'RECONCILE', 'SETTLED', 'RELEASED');

CREATE TYPE transaction_type AS ENUM ('PURCHASE', 'CALL_USAGE', 'GRACE_USAGE', 'ADMIN_ADJUSTMENT', 'REFUND', 'DISPUTE');

CREATE TYPE phone_status AS ENUM ('AVAILABLE', 'ASSIGNED', 'RELEASED');

CREATE TYPE call_direction AS ENUM ('INBOUND', 'OUTBOUND');

CREATE TYPE call_status AS ENUM ('RINGING', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'NO_ANSWER');

CREATE TYPE call_party AS ENUM ('CALLER', 'AGENT');

CREATE TYPE purchase_state AS ENUM ('OPEN', 'PENDING', 'PAID', 'FAILED', 'EXPIRED');

CREATE TABLE users (
	id UUID NOT NULL,
	email TEXT NOT NULL,
	name TEXT NOT NULL,
	password_hash TEXT,
	role role DEFAULT 'USER' NOT NULL,
	status user_status DEFAULT 'ACTIVE' NOT NULL,
	locale TEXT DEFAULT 'en' NOT NULL,
	zone TEXT DEFAULT 'Europe/Berlin' NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	CONSTRAINT pk_users PRIMARY KEY (id),
	CONSTRAINT ck_users_email CHECK (email LIKE '%_@_%'),
	CONSTRAINT ck_users_zone CHECK ((TIMESTAMPTZ '2000-01-01 00:00+00' AT TIME ZONE zone) IS NOT NULL)
);

CREATE UNIQUE INDEX uq_users_email_lower ON users (lower(email));

CREATE TABLE alerts (
	id UUID NOT NULL,
	kind TEXT NOT NULL,
	user_id UUID,
	detail JSONB DEFAULT '{}' NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	acknowledged_at TIMESTAMP WITH TIME ZONE,
	acknowledged_by UUID,
	CONSTRAINT pk_alerts PRIMARY KEY (id)
);

CREATE INDEX ix_alerts_open ON alerts (created_at) WHERE acknowledged_at IS NULL;

CREATE TABLE credit_packs (
	id UUID NOT NULL,
	name TEXT NOT NULL,
	credits BIGINT NOT NULL,
	price_minor BIGINT NOT NULL,
	currency TEXT NOT NULL,
	active BOOLEAN DEFAULT true NOT NULL,
	position INTEGER DEFAULT 0 NOT NULL,
	gateway_price_id TEXT,
	created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	CONSTRAINT pk_credit_packs PRIMARY KEY (id),
	CONSTRAINT ck_credit_packs_credits CHECK (credits BETWEEN 1 AND 1000000000000),
	CONSTRAINT ck_credit_packs_price_minor CHECK (price_minor BETWEEN 0 AND 1000000000000),
	CONSTRAINT ck_credit_packs_currency CHECK (currency ~ '^[A-Z]{3}$')
);

CREATE INDEX ix_credit_packs_active_position ON credit_packs (active, position);

CREATE TABLE call_directory (
	carrier TEXT NOT NULL,
	carrier_call_id TEXT NOT NULL,
	user_id UUID NOT NULL,
	call_id UUID NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	CONSTRAINT pk_call_directory PRIMARY KEY (carrier, carrier_call_id)
);

CREATE UNIQUE INDEX uq_call_directory_call ON call_directory (user_id, call_id);

CREATE TABLE provider_events (
	id UUID NOT NULL,
	provider TEXT NOT NULL,
	account TEXT NOT NULL,
	event_id TEXT NOT NULL,
	kind TEXT NOT NULL,
	body BYTEA NOT NULL,
	headers JSONB DEFAULT '{}' NOT NULL,
	received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	handled_at TIMESTAMP WITH TIME ZONE,
	verdict TEXT,
	error TEXT,
	tries INTEGER DEFAULT 0 NOT NULL,
	last_tried_at TIMESTAMP WITH TIME ZONE,
	CONSTRAINT pk_provider_events PRIMARY KEY (id)
);

CREATE INDEX ix_provider_events_unhandled ON provider_events (received_at) WHERE handled_at IS NULL;

CREATE UNIQUE INDEX uq_provider_events_event ON provider_events (provider, account, event_id);

CREATE TABLE purchase_directory (
	gateway TEXT NOT NULL,
	checkout_id TEXT NOT NULL,
	payment_id TEXT,
	user_id UUID NOT NULL,
	purchase_id UUID NOT NULL,
	CONSTRAINT pk_purchase_directory PRIMARY KEY (gateway, checkout_id)
);

CREATE UNIQUE INDEX uq_purchase_directory_payment ON purchase_directory (gateway, payment_id);

CREATE UNIQUE INDEX uq_purchase_directory_purchase ON purchase_directory (user_id, purchase_id);

CREATE TABLE sessions (
	id UUID NOT NULL,
	token_hash BYTEA NOT NULL,
	user_id UUID NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	last_seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
	address TEXT,
	browser TEXT,
	CONSTRAINT pk_sessions PRIMARY KEY (id),
	CONSTRAINT ck_sessions_token_hash CHECK (octet_length(token_hash) = 32),
	CONSTRAINT ck_sessions_expires_later CHECK (expires_at > created_at),
	CONSTRAINT uq_sessions_token_hash UNIQUE (token_hash),
	CONSTRAINT fk_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_sessions_user_id ON sessions (user_id);

CREATE TABLE agents (
	user_id UUID NOT NULL,
	id UUID NOT NULL,
	name TEXT NOT NULL,
	business TEXT NOT NULL,
	language TEXT NOT NULL,
	zone TEXT NOT NULL,
	active BOOLEAN DEFAULT true NOT NULL,
	archived_at TIMESTAMP WITH TIME ZONE,
	published_version INTEGER,
	created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	CONSTRAINT pk_agents PRIMARY KEY (user_id, id),
	CONSTRAINT ck_agents_name CHECK (length(name) BETWEEN 1 AND 200),
	CONSTRAINT ck_agents_zone CHECK ((TIMESTAMPTZ '2000-01-01 00:00+00' AT TIME ZONE zone) IS NOT NULL),
	CONSTRAINT ck_agents_archived_is_not_active CHECK (archived_at IS NULL OR NOT active),
	CONSTRAINT fk_agents_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_agents_user_id_created_at ON agents (user_id, created_at, id);

CREATE TABLE prices (
	id UUID NOT NULL,
	user_id UUID,
	valid_from TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	credits_per_minute BIGINT NOT NULL,
	connection_fee BIGINT DEFAULT 0 NOT NULL,
	initial_seconds INTEGER DEFAULT 60 NOT NULL,
	increment_seconds INTEGER DEFAULT 60 NOT NULL,
	free_seconds INTEGER DEFAULT 0 NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	CONSTRAINT pk_prices PRIMARY KEY (id),
	CONSTRAINT ck_prices_credits_per_minute CHECK (credits_per_minute BETWEEN 0 AND 1000000000),
	CONSTRAINT ck_prices_connection_fee CHECK (connection_fee BETWEEN 0 AND 1000000000),
	CONSTRAINT ck_prices_initial_seconds CHECK (initial_seconds BETWEEN 1 AND 3600),
	CONSTRAINT ck_prices_increment_seconds CHECK (increment_seconds BETWEEN 1 AND 3600),
	CONSTRAINT ck_prices_free_seconds CHECK (free_seconds BETWEEN 0 AND 3600),
	CONSTRAINT fk_prices_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_prices_user_id_valid_from ON prices (user_id, valid_from);

CREATE TABLE credit_accounts (
	user_id UUID NOT NULL,
	balance BIGINT DEFAULT 0 NOT NULL,
	held BIGINT DEFAULT 0 NOT NULL,
	grace_limit BIGINT DEFAULT 0 NOT NULL,
	clawback_debt BIGINT DEFAULT 0 NOT NULL,
	blocked_reason TEXT,
	open_calls INTEGER DEFAULT 0 NOT NULL,
	max_open_calls INTEGER DEFAULT 10 NOT NULL,
	spent_on DATE,
	spent_today BIGINT DEFAULT 0 NOT NULL,
	seq BIGINT DEFAULT 0 NOT NULL,
	head BYTEA DEFAULT '\x' NOT NULL,
	CONSTRAINT pk_credit_accounts PRIMARY KEY (user_id),
	CONSTRAINT ck_credit_accounts_never_overspent CHECK (balance - held >= -grace_limit - clawback_debt),
	CONSTRAINT ck_credit_accounts_held CHECK (held >= 0),
	CONSTRAINT ck_credit_accounts_grace_limit CHECK (grace_limit >= 0),
	CONSTRAINT ck_credit_accounts_clawback_debt CHECK (clawback_debt >= 0),
	CONSTRAINT ck_credit_accounts_open_calls CHECK (open_calls >= 0),
	CONSTRAINT ck_credit_accounts_max_open_calls CHECK (max_open_calls >= 0),
	CONSTRAINT ck_credit_accounts_spent_today CHECK (spent_today >= 0),
	CONSTRAINT ck_credit_accounts_seq CHECK (seq >= 0),
	CONSTRAINT ck_credit_accounts_fence CHECK (balance BETWEEN -1000000000000000 AND 1000000000000000 AND held <= 1000000000000000 AND grace_limit <= 1000000000000000 AND clawback_debt <= 1000000000000000),
	CONSTRAINT fk_credit_accounts_user_id FOREIGN KEY(user_id) REFERENCES users (id)
)
 WITH (fillfactor = 50);

CREATE TABLE ledger_checkpoints (
	user_id UUID NOT NULL,
	seq BIGINT NOT NULL,
	balance BIGINT NOT NULL,
	hash BYTEA NOT NULL,
	verified_at TIMESTAMP WITH TIME ZONE NOT NULL,
	CONSTRAINT pk_ledger_checkpoints PRIMARY KEY (user_id),
	CONSTRAINT fk_ledger_checkpoints_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE TABLE purchases (
	user_id UUID NOT NULL,
	id UUID NOT NULL,
	pack_id UUID,
	credits BIGINT NOT NULL,
	price_minor BIGINT NOT NULL,
	currency TEXT NOT NULL,
	gateway TEXT NOT NULL,
	state purchase_state DEFAULT 'OPEN' NOT NULL,
	paid_at TIMESTAMP WITH TIME ZONE,
	credited_at TIMESTAMP WITH TIME ZONE DEFAULT NULL,
	reversed_credits BIGINT DEFAULT 0 NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	CONSTRAINT pk_purchases PRIMARY KEY (user_id, id),
	CONSTRAINT ck_purchases_credits CHECK (credits BETWEEN 1 AND 1000000000000),
	CONSTRAINT ck_purchases_price_minor CHECK (price_minor >= 0),
	CONSTRAINT ck_purchases_currency CHECK (currency ~ '^[A-Z]{3}$'),
	CONSTRAINT ck_purchases_reversed_credits CHECK (reversed_credits BETWEEN 0 AND credits),
	CONSTRAINT ck_purchases_credited_is_paid CHECK (credited_at IS NULL OR state = 'PAID'),
	CONSTRAINT ck_purchases_reversed_was_credited CHECK (reversed_credits = 0 OR credited_at IS NOT NULL),
	CONSTRAINT fk_purchases_user_id FOREIGN KEY(user_id) REFERENCES users (id),
	CONSTRAINT fk_purchases_pack_id FOREIGN KEY(pack_id) REFERENCES credit_packs (id)
);

CREATE INDEX ix_purchases_user_id_created_at ON purchases (user_id, created_at, id);

CREATE TABLE agent_versions (
	user_id UUID NOT NULL,
	agent_id UUID NOT NULL,
	version_no INTEGER NOT NULL,
	greeting TEXT NOT NULL,
	instructions TEXT DEFAULT '' NOT NULL,
	voice TEXT DEFAULT '' NOT NULL,
	hours JSONB DEFAULT '{}' NOT NULL,
	answers_after_hours BOOLEAN DEFAULT true NOT NULL,
	knowledge JSONB DEFAULT '[]' NOT NULL,
	phrases JSONB DEFAULT '[]' NOT NULL,
	tools JSONB DEFAULT '[]' NOT NULL,
	turn_settings JSONB DEFAULT '{}' NOT NULL,
	fallback JSONB DEFAULT '{}' NOT NULL,
	call_seconds_max INTEGER DEFAULT 1800 NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	CONSTRAINT pk_agent_versions PRIMARY KEY (user_id, agent_id, version_no),
	CONSTRAINT fk_agent_versions_user_id_agent_id FOREIGN KEY(user_id, agent_id) REFERENCES agents (user_id, id),
	CONSTRAINT ck_agent_versions_version_no CHECK (version_no >= 1),
	CONSTRAINT ck_agent_versions_greeting CHECK (length(greeting) BETWEEN 1 AND 2000),
	CONSTRAINT ck_agent_versions_call_seconds_max CHECK (call_seconds_max BETWEEN 30 AND 14400)
);

CREATE TABLE phone_numbers (
	id UUID NOT NULL,
	number TEXT NOT NULL,
	status phone_status DEFAULT 'AVAILABLE' NOT NULL,
	user_id UUID,
	agent_id UUID,
	carrier TEXT NOT NULL,
	carrier_number_id TEXT,
	capabilities JSONB DEFAULT '[]' NOT NULL,
	quarantine_until TIMESTAMP WITH TIME ZONE,
	carrier_told JSONB DEFAULT '{}' NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	CONSTRAINT pk_phone_numbers PRIMARY KEY (id),
	CONSTRAINT fk_phone_numbers_user_id_agent_id FOREIGN KEY(user_id, agent_id) REFERENCES agents (user_id, id),
	CONSTRAINT ck_phone_numbers_e164 CHECK (number ~ '^\+[1-9][0-9]{6,14}$'),
	CONSTRAINT ck_phone_numbers_assigned_has_user CHECK ((status = 'ASSIGNED') = (user_id IS NOT NULL)),
	CONSTRAINT ck_phone_numbers_agent_has_user CHECK (agent_id IS NULL OR user_id IS NOT NULL),
	CONSTRAINT ck_phone_numbers_released_rests CHECK (status <> 'RELEASED' OR quarantine_until IS NOT NULL),
	CONSTRAINT uq_phone_numbers_number UNIQUE (number),
	CONSTRAINT fk_phone_numbers_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_phone_numbers_user_id_agent_id ON phone_numbers (user_id, agent_id);

CREATE UNIQUE INDEX uq_phone_numbers_carrier_number ON phone_numbers (carrier, carrier_number_id);

CREATE TABLE calls (
	user_id UUID NOT NULL,
	id UUID NOT NULL,
	agent_id UUID,
	agent_version INTEGER,
	number_id UUID,
	direction call_direction NOT NULL,
	carrier TEXT NOT NULL,
	carrier_call_id TEXT NOT NULL,
	caller TEXT,
	dialled TEXT,
	status call_status DEFAULT 'RINGING' NOT NULL,
	route TEXT NOT NULL,
	started_at TIMESTAMP WITH TIME ZONE NOT NULL,
	answered_at TIMESTAMP WITH TIME ZONE,
	ended_at TIMESTAMP WITH TIME ZONE,
	end_reason TEXT,
	seconds INTEGER,
	carrier_seconds INTEGER,
	summary TEXT,
	outcome TEXT,
	created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	CONSTRAINT pk_calls PRIMARY KEY (user_id, id),
	CONSTRAINT fk_calls_user_id_agent_id_agent_version FOREIGN KEY(user_id, agent_id, agent_version) REFERENCES agent_versions (user_id, agent_id, version_no),
	CONSTRAINT ck_calls_ended_is_over CHECK ((ended_at IS NOT NULL) = (status NOT IN ('RINGING', 'IN_PROGRESS'))),
	CONSTRAINT ck_calls_in_progress_was_answered CHECK (status <> 'IN_PROGRESS' OR answered_at IS NOT NULL),
	CONSTRAINT ck_calls_no_answer_was_not_answered CHECK (status <> 'NO_ANSWER' OR answered_at IS NULL),
	CONSTRAINT ck_calls_times_in_order CHECK (answered_at >= started_at AND ended_at >= started_at),
	CONSTRAINT ck_calls_seconds CHECK (seconds >= 0 AND carrier_seconds >= 0),
	CONSTRAINT fk_calls_user_id FOREIGN KEY(user_id) REFERENCES users (id),
	CONSTRAINT fk_calls_number_id FOREIGN KEY(number_id) REFERENCES phone_numbers (id)
);

CREATE INDEX ix_calls_open ON calls (user_id, started_at, id) WHERE status IN ('RINGING', 'IN_PROGRESS');

CREATE INDEX ix_calls_user_id_started_at ON calls (user_id, started_at, id);

CREATE INDEX ix_calls_user_id_agent_id ON calls (user_id, agent_id, started_at);

CREATE TABLE credit_holds (
	user_id UUID NOT NULL,
	call_id UUID NOT NULL,
	price_id UUID,
	credits_per_minute BIGINT NOT NULL,
	connection_fee BIGINT NOT NULL,
	initial_seconds INTEGER NOT NULL,
	increment_seconds INTEGER NOT NULL,
	free_seconds INTEGER NOT NULL,
	state hold_state NOT NULL,
	denied_reason TEXT,
	granted_seconds INTEGER DEFAULT 0 NOT NULL,
	used_seconds INTEGER DEFAULT 0 NOT NULL,
	held BIGINT DEFAULT 0 NOT NULL,
	held_peak BIGINT DEFAULT 0 NOT NULL,
	charged BIGINT DEFAULT 0 NOT NULL,
	corrected BIGINT DEFAULT 0 NOT NULL,
	unbilled BIGINT DEFAULT 0 NOT NULL,
	request_no INTEGER DEFAULT 0 NOT NULL,
	lease_owner TEXT,
	lease_until TIMESTAMP WITH TIME ZONE,
	lost_at TIMESTAMP WITH TIME ZONE,
	cut_at TIMESTAMP WITH TIME ZONE,
	cut_claimed_at TIMESTAMP WITH TIME ZONE,
	settled_at TIMESTAMP WITH TIME ZONE,
	settled_seconds INTEGER,
	not_charged_reason TEXT,
	created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	CONSTRAINT pk_credit_holds PRIMARY KEY (user_id, call_id),
	CONSTRAINT fk_credit_holds_user_id FOREIGN KEY(user_id) REFERENCES credit_accounts (user_id),
	CONSTRAINT fk_credit_holds_user_id_call_id FOREIGN KEY(user_id, call_id) REFERENCES calls (user_id, id),
	CONSTRAINT ck_credit_holds_held CHECK (held BETWEEN 0 AND held_peak),
	CONSTRAINT ck_credit_holds_charged CHECK (charged >= 0 AND charged + corrected BETWEEN 0 AND held_peak),
	CONSTRAINT ck_credit_holds_counts CHECK (granted_seconds >= 0 AND used_seconds >= 0 AND unbilled >= 0),
	CONSTRAINT ck_credit_holds_closed_is_settled CHECK ((settled_at IS NOT NULL) = (state IN ('DENIED', 'SETTLED', 'RELEASED'))),
	CONSTRAINT ck_credit_holds_closed_holds_nothing CHECK (settled_at IS NULL OR held = 0),
	CONSTRAINT ck_credit_holds_lost_at CHECK (state <> 'RECONCILE' OR lost_at IS NOT NULL),
	CONSTRAINT ck_credit_holds_denied_reason CHECK ((denied_reason IS NOT NULL) = (state = 'DENIED')),
	CONSTRAINT ck_credit_holds_active_is_owned CHECK (state NOT IN ('ACTIVE', 'FINAL') OR (lease_owner IS NOT NULL AND cut_at IS NOT NULL)),
	CONSTRAINT fk_credit_holds_price_id FOREIGN KEY(price_id) REFERENCES prices (id)
)
 WITH (fillfactor = 70);

CREATE INDEX ix_credit_holds_open ON credit_holds (user_id, call_id) WHERE settled_at IS NULL;

CREATE TABLE credit_transactions (
	user_id UUID NOT NULL,
	seq BIGINT NOT NULL,
	type transaction_type NOT NULL,
	amount BIGINT NOT NULL,
	balance_after BIGINT NOT NULL,
	call_id UUID,
	purchase_id UUID,
	reference TEXT,
	reason TEXT,
	actor_id UUID,
	created_at TIMESTAMP WITH TIME ZONE NOT NULL,
	hash BYTEA NOT NULL,
	CONSTRAINT pk_credit_transactions PRIMARY KEY (user_id, seq),
	CONSTRAINT fk_credit_transactions_user_id FOREIGN KEY(user_id) REFERENCES credit_accounts (user_id),
	CONSTRAINT fk_credit_transactions_user_id_call_id FOREIGN KEY(user_id, call_id) REFERENCES calls (user_id, id),
	CONSTRAINT fk_credit_transactions_user_id_purchase_id FOREIGN KEY(user_id, purchase_id) REFERENCES purchases (user_id, id),
	CONSTRAINT ck_credit_transactions_amount CHECK (amount <> 0),
	CONSTRAINT ck_credit_transactions_seq CHECK (seq >= 1),
	CONSTRAINT ck_credit_transactions_hash CHECK (octet_length(hash) = 32),
	CONSTRAINT ck_credit_transactions_usage_has_call CHECK (type NOT IN ('CALL_USAGE', 'GRACE_USAGE') OR (call_id IS NOT NULL AND amount < 0)),
	CONSTRAINT ck_credit_transactions_purchase_has_purchase CHECK (type <> 'PURCHASE' OR (purchase_id IS NOT NULL AND amount > 0)),
	CONSTRAINT ck_credit_transactions_reversal_has_purchase CHECK (type NOT IN ('REFUND', 'DISPUTE') OR (purchase_id IS NOT NULL AND reference IS NOT NULL)),
	CONSTRAINT ck_credit_transactions_adjustment_has_reference CHECK (type <> 'ADMIN_ADJUSTMENT' OR (reference IS NOT NULL AND reason IS NOT NULL)),
	CONSTRAINT ck_credit_transactions_adjustment_has_actor CHECK (type <> 'ADMIN_ADJUSTMENT' OR actor_id IS NOT NULL OR reference LIKE 'correction:%' OR reference LIKE 'rent:%'),
	CONSTRAINT ck_credit_transactions_texts CHECK (length(reference) BETWEEN 1 AND 200 AND length(reason) BETWEEN 1 AND 1000),
	CONSTRAINT fk_credit_transactions_actor_id FOREIGN KEY(actor_id) REFERENCES users (id)
);

CREATE UNIQUE INDEX uq_credit_transactions_purchase ON credit_transactions (user_id, purchase_id) WHERE type = 'PURCHASE';

CREATE INDEX ix_credit_transactions_call ON credit_transactions (user_id, call_id) WHERE call_id IS NOT NULL;

CREATE UNIQUE INDEX uq_credit_transactions_call_type ON credit_transactions (user_id, call_id, type) WHERE type IN ('CALL_USAGE', 'GRACE_USAGE');

CREATE UNIQUE INDEX uq_credit_transactions_reference ON credit_transactions (user_id, reference);

CREATE TABLE call_turns (
	user_id UUID NOT NULL,
	call_id UUID NOT NULL,
	turn_no INTEGER NOT NULL,
	speaker call_party NOT NULL,
	text TEXT NOT NULL,
	began_ms INTEGER NOT NULL,
	ended_ms INTEGER NOT NULL,
	interrupted BOOLEAN DEFAULT false NOT NULL,
	latency JSONB,
	tools JSONB DEFAULT '[]' NOT NULL,
	sources JSONB DEFAULT '[]' NOT NULL,
	created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
	CONSTRAINT pk_call_turns PRIMARY KEY (user_id, call_id, turn_no),
	CONSTRAINT fk_call_turns_user_id_call_id FOREIGN KEY(user_id, call_id) REFERENCES calls (user_id, id),
	CONSTRAINT ck_call_turns_turn_no CHECK (turn_no >= 1),
	CONSTRAINT ck_call_turns_times CHECK (began_ms >= 0 AND ended_ms >= began_ms)
);

ALTER TABLE agents ADD CONSTRAINT fk_agents_user_id_id_published_version FOREIGN KEY(user_id, id, published_version) REFERENCES agent_versions (user_id, agent_id, version_no);


-- Functions, triggers, policies, grants.
SET check_function_bodies = off;

-- calls/sql/10_lifecycle.sql
-- A call from ring to end. The order of locks is always: the call, the account, the hold.

-- The status only moves forward, whoever writes it.
CREATE FUNCTION calls_forward_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> OLD.status AND NOT (
        (OLD.status = 'RINGING')
        OR (OLD.status = 'IN_PROGRESS' AND NEW.status IN ('COMPLETED', 'FAILED'))
    ) THEN
        RAISE EXCEPTION 'a call does not go from % to %', OLD.status, NEW.status USING ERRCODE = 'TT409';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER calls_forward_only BEFORE UPDATE OF status ON calls
    FOR EACH ROW EXECUTE FUNCTION calls_forward_only();

-- What is known of a ring before anything is decided: the answer it got before, or whose number it is and what the agent
-- behind it says. No row: nobody answers this number.
CREATE FUNCTION find_ring_v1(p_carrier text, p_carrier_call_id text, p_dialled text)
RETURNS TABLE (
    user_id uuid, call_id uuid, route text, status call_status, number_id uuid, agent_id uuid, agent_version integer,
    language text, user_status user_status, agent_active boolean, zone text, hours jsonb, answers_after_hours boolean,
    fallback jsonb, business text
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH known AS (
        SELECT d.user_id, d.call_id FROM call_directory d
        WHERE d.carrier = p_carrier AND d.carrier_call_id = p_carrier_call_id
    ), target AS (
        SELECT c.user_id, c.id AS call_id, c.route, c.status, c.number_id, c.agent_id, c.agent_version
        FROM known k JOIN calls c ON c.user_id = k.user_id AND c.id = k.call_id
        UNION ALL
        SELECT n.user_id, NULL, NULL, NULL, n.id, n.agent_id, a.published_version
        FROM phone_numbers n LEFT JOIN agents a ON a.user_id = n.user_id AND a.id = n.agent_id
        WHERE NOT EXISTS (SELECT FROM known) AND n.number = p_dialled AND n.carrier = p_carrier
            AND n.user_id IS NOT NULL
    )
    SELECT t.user_id, t.call_id, t.route, t.status, t.number_id, t.agent_id, t.agent_version,
        coalesce(a.language, u.locale), u.status, coalesce(a.active, false), coalesce(a.zone, u.zone), v.hours,
        coalesce(v.answers_after_hours, true), coalesce(v.fallback, '{}'::jsonb), coalesce(a.business, u.name)
    FROM target t
    JOIN users u ON u.id = t.user_id
    LEFT JOIN agents a ON a.user_id = t.user_id AND a.id = t.agent_id
    LEFT JOIN agent_versions v ON v.user_id = t.user_id AND v.agent_id = t.agent_id AND v.version_no = t.agent_version
$$;

-- Take a ring in, once: a second one, also at the same moment, gets the first one's answer. `p_rung` is a rung of the
-- fallback ladder that was decided already; NULL asks the credits. A call that only the ladder answers is over at once.
CREATE FUNCTION ring_v1(
    p_carrier text, p_carrier_call_id text, p_user uuid, p_call uuid, p_number uuid, p_agent uuid, p_version integer,
    p_caller text, p_dialled text, p_rung text,
    OUT call_id uuid, OUT route text, OUT fresh boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_allowed boolean := false;
BEGIN
    PERFORM assert_tenant(p_user);
    INSERT INTO call_directory (carrier, carrier_call_id, user_id, call_id)
    VALUES (p_carrier, p_carrier_call_id, p_user, p_call) ON CONFLICT DO NOTHING;
    fresh := FOUND;
    IF NOT fresh THEN
        SELECT c.id, c.route INTO STRICT call_id, route
        FROM call_directory d JOIN calls c ON c.user_id = d.user_id AND c.id = d.call_id
        WHERE d.carrier = p_carrier AND d.carrier_call_id = p_carrier_call_id;
        RETURN;
    END IF;
    call_id := p_call;
    INSERT INTO calls (
        user_id, id, agent_id, agent_version, number_id, direction, carrier, carrier_call_id, caller, dialled, status,
        route, started_at
    ) VALUES (
        p_user, p_call, p_agent, p_version, p_number, 'INBOUND', p_carrier, p_carrier_call_id, nullif(p_caller, ''),
        p_dialled, 'RINGING', coalesce(p_rung, 'talk'), v_now
    );
    route := p_rung;
    IF route IS NULL THEN
        SELECT z.allowed, z.reason INTO v_allowed, route FROM authorise_v1(p_user, p_call) z;
        route := coalesce(route, 'talk');
    END IF;
    IF NOT v_allowed THEN
        v_now := clock_timestamp();
        UPDATE calls c SET status = 'COMPLETED', route = ring_v1.route, end_reason = ring_v1.route, ended_at = v_now, seconds = 0
        WHERE c.user_id = p_user AND c.id = p_call;
    END IF;
END
$$;

-- Our media stream was accepted: the call moves to IN_PROGRESS and the process claims its hold, both or neither. A
-- second socket with the same token finds the call no longer ringing.
CREATE FUNCTION answer_call_v1(
    p_user uuid, p_call uuid, p_owner text,
    OUT answered boolean, OUT answered_at timestamptz, OUT cut_at timestamptz, OUT granted_seconds integer,
    OUT agent_id uuid, OUT agent_version integer, OUT caller text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    PERFORM assert_tenant(p_user);
    PERFORM 1 FROM calls c
    WHERE c.user_id = p_user AND c.id = p_call AND c.status = 'RINGING' FOR NO KEY UPDATE;
    answered := FOUND;
    IF answered THEN
        -- No when its ring lease ran out and the sweep has it.
        SELECT z.claimed, z.cut_at, z.granted_seconds INTO answered, cut_at, granted_seconds
        FROM answer_v1(p_user, p_call, p_owner) z;
    END IF;
    IF answered THEN
        UPDATE calls c SET status = 'IN_PROGRESS', answered_at = v_now
        WHERE c.user_id = p_user AND c.id = p_call
        RETURNING c.answered_at, c.agent_id, c.agent_version, c.caller
        INTO answered_at, agent_id, agent_version, caller;
    END IF;
END
$$;

-- Close a call and settle its hold, once, in one transaction. A second finish gets the first one's figures, not fresh.
-- The sweep finishes only what is lost: `p_only_if_lost` leaves a call alone whose owner has come back.
CREATE FUNCTION finish_v1(
    p_user uuid, p_call uuid, p_seconds integer, p_failed boolean, p_reason text, p_carrier_seconds integer DEFAULT NULL,
    p_not_charged_reason text DEFAULT NULL, p_only_if_lost boolean DEFAULT false,
    OUT fresh boolean, OUT status call_status, OUT seconds integer, OUT charged bigint, OUT unbilled bigint, OUT balance bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    c calls;
    v_now timestamptz;
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
        UPDATE calls x SET
            status = finish_v1.status, ended_at = greatest(v_now, x.answered_at), end_reason = p_reason, seconds = finish_v1.seconds,
            carrier_seconds = coalesce(p_carrier_seconds, x.carrier_seconds)
        WHERE x.user_id = p_user AND x.id = p_call;
    ELSE
        status := c.status;
        seconds := c.seconds;
    END IF;
    IF EXISTS (SELECT FROM credit_holds h WHERE h.user_id = p_user AND h.call_id = p_call) THEN
        SELECT z.charged, z.unbilled, z.balance INTO charged, unbilled, balance
        FROM settle_v1(p_user, p_call, seconds, p_not_charged_reason) z;
    END IF;
END
$$;

-- credits/sql/10_rules.sql
-- The arithmetic of a charge, and who may ask for it. Pure functions first: Python's pricing.py says the same, and a
-- test compares the two.

-- What a call of so many seconds costs, in credits: fee + ceil(rate × billable / 60), rounded once, at the end, up.
CREATE FUNCTION credit_cost(
    p_seconds bigint, p_rate bigint, p_fee bigint, p_initial integer, p_increment integer, p_free integer
) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN p_seconds <= 0 OR p_seconds < p_free THEN 0
    ELSE p_fee + (p_rate * (
        p_initial + (greatest(p_seconds - p_initial, 0) + p_increment - 1) / p_increment * p_increment
    ) + 59) / 60
END;

-- The longest grant that so many credits pay for: initial + k × increment seconds, 0 when not even the first step.
CREATE FUNCTION credit_affords(
    p_credits bigint, p_rate bigint, p_fee bigint, p_initial integer, p_increment integer
) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN p_credits < p_fee + (p_rate * p_initial + 59) / 60 THEN 0
    WHEN p_rate = 0 THEN 1000000
    ELSE least(1000000, p_initial + ((p_credits - p_fee) * 60 / p_rate - p_initial) / p_increment * p_increment)
END;

-- So many seconds, rounded up to whole steps of the price.
CREATE FUNCTION credit_steps(p_seconds bigint, p_increment integer) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (p_seconds + p_increment - 1) / p_increment * p_increment;

CREATE FUNCTION credit_field(p_value bytea) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(int4send(octet_length(p_value)) || p_value, int4send(-1));

-- The hash of a ledger line: a version byte, then every column, each length-prefixed, then the hash of the line before.
CREATE FUNCTION credit_line_hash(
    p_previous bytea, p_user uuid, p_seq bigint, p_type transaction_type, p_amount bigint, p_balance_after bigint,
    p_call uuid, p_purchase uuid, p_reference text, p_reason text, p_actor uuid, p_created_at timestamptz
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(
    '\x01'::bytea
    || credit_field(uuid_send(p_user)) || credit_field(int8send(p_seq)) || credit_field(convert_to(p_type::text, 'UTF8'))
    || credit_field(int8send(p_amount)) || credit_field(int8send(p_balance_after))
    || credit_field(uuid_send(p_call)) || credit_field(uuid_send(p_purchase))
    || credit_field(convert_to(p_reference, 'UTF8')) || credit_field(convert_to(p_reason, 'UTF8'))
    || credit_field(uuid_send(p_actor))
    || credit_field(int8send((extract(epoch FROM p_created_at) * 1000000)::bigint))
    || credit_field(p_previous)
);

-- The functions here run with their owner's rights, so each asks this first: is the transaction that user's, or
-- everyone's? ('role' is what SET ROLE said outside; it does not change inside a definer function.)
CREATE FUNCTION assert_tenant(p_user uuid) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF current_setting('role') = 'talktime_everyone' THEN
        RETURN;
    END IF;
    IF p_user IS DISTINCT FROM nullif(current_setting('talktime.user_id', true), '')::uuid THEN
        RAISE EXCEPTION 'this transaction is not of user %', p_user USING ERRCODE = 'TT403';
    END IF;
END
$$;

-- credits/sql/20_ledger.sql
-- The ledger is append-only, whoever asks. Grants say so too; this is the guard behind them.
CREATE FUNCTION credit_transactions_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % refused', TG_OP USING ERRCODE = 'TT409';
END
$$;

CREATE TRIGGER credit_transactions_append_only BEFORE UPDATE OR DELETE ON credit_transactions
    FOR EACH ROW EXECUTE FUNCTION credit_transactions_append_only();
CREATE TRIGGER credit_transactions_no_truncate BEFORE TRUNCATE ON credit_transactions
    FOR EACH STATEMENT EXECUTE FUNCTION credit_transactions_append_only();

-- Lock a user's account, making it when it is missing. Every function that writes begins here: account, then hold.
CREATE FUNCTION credit_lock(p_user uuid) RETURNS credit_accounts
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
BEGIN
    SELECT * INTO a FROM credit_accounts WHERE user_id = p_user FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        INSERT INTO credit_accounts (user_id) VALUES (p_user) ON CONFLICT DO NOTHING;
        SELECT * INTO STRICT a FROM credit_accounts WHERE user_id = p_user FOR NO KEY UPDATE;
    END IF;
    RETURN a;
END
$$;

-- Write the account back. Every change of it comes through here, so the claw-back debt shrinks after each posting.
CREATE FUNCTION credit_store(a credit_accounts) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE credit_accounts SET
        balance = a.balance, held = a.held, grace_limit = a.grace_limit,
        clawback_debt = least(a.clawback_debt, greatest(0, -a.grace_limit - (a.balance - a.held))),
        blocked_reason = a.blocked_reason, open_calls = a.open_calls, max_open_calls = a.max_open_calls,
        spent_on = a.spent_on, spent_today = a.spent_today, seq = a.seq, head = a.head
    WHERE user_id = a.user_id;
END
$$;

-- Append one line; gives back the account as it is after it. The caller stores it.
CREATE FUNCTION credit_append(
    a credit_accounts, p_type transaction_type, p_amount bigint, p_call uuid, p_purchase uuid, p_reference text,
    p_reason text, p_actor uuid
) RETURNS credit_accounts LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
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
    RETURN a;
END
$$;

-- Count so many credits (or fewer, when negative) into the day's spending, in the user's own zone. Comes before `held`
-- is changed by as much.
CREATE FUNCTION credit_spend(a credit_accounts, p_amount bigint) RETURNS credit_accounts
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_today date;
BEGIN
    SELECT (v_now AT TIME ZONE u.zone)::date INTO v_today FROM users u WHERE u.id = a.user_id;
    IF a.spent_on IS DISTINCT FROM v_today THEN
        -- What running calls hold goes over into the new day: it is charged there.
        a.spent_on := v_today;
        a.spent_today := a.held;
    END IF;
    a.spent_today := greatest(0, a.spent_today + p_amount);
    RETURN a;
END
$$;

-- credits/sql/30_holds.sql
-- The life of a charge: authorise, answer, heartbeat, extend, cut, settle, lose. Each is one transaction's worth and can
-- be asked again: the second time gets the first one's answer.

-- The price that holds for a user now: the newest of their own that is valid, else the newest of everybody's.
CREATE FUNCTION credit_price(p_user uuid, p_at timestamptz) RETURNS prices
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_price prices;
BEGIN
    SELECT * INTO v_price FROM prices WHERE user_id = p_user AND valid_from <= p_at ORDER BY valid_from DESC, id DESC LIMIT 1;
    IF NOT FOUND THEN
        SELECT * INTO v_price FROM prices WHERE user_id IS NULL AND valid_from <= p_at ORDER BY valid_from DESC, id DESC LIMIT 1;
    END IF;
    RETURN v_price;
END
$$;

-- May this call begin? Holds the first slice when it may; keeps the refusal when not, so that the same call gets the
-- same answer. Reasons: blocked, too_many_calls, debt, no_credit, no_price; over (it ended before).
CREATE FUNCTION authorise_v1(
    p_user uuid, p_call uuid, p_price uuid DEFAULT NULL,
    OUT allowed boolean, OUT reason text, OUT granted_seconds integer, OUT held bigint, OUT fresh boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    h credit_holds;
    v_price prices;
    v_now timestamptz;
    v_free bigint;
    v_grant bigint := 0;
BEGIN
    PERFORM assert_tenant(p_user);
    a := credit_lock(p_user);
    SELECT * INTO h FROM credit_holds WHERE user_id = p_user AND call_id = p_call FOR NO KEY UPDATE;
    IF FOUND THEN
        allowed := h.state NOT IN ('DENIED', 'SETTLED', 'RELEASED');
        reason := CASE WHEN h.state = 'DENIED' THEN h.denied_reason WHEN NOT allowed THEN 'over' END;
        granted_seconds := h.granted_seconds;
        held := h.held;
        fresh := false;
        RETURN;
    END IF;

    v_now := clock_timestamp();
    IF p_price IS NULL THEN
        v_price := credit_price(p_user, v_now);
    ELSE
        SELECT * INTO v_price FROM prices WHERE id = p_price AND (user_id IS NULL OR user_id = p_user);
    END IF;
    v_free := a.balance - a.held;
    reason := CASE
        WHEN v_price.id IS NULL THEN 'no_price'
        WHEN a.blocked_reason IS NOT NULL THEN 'blocked'
        WHEN a.open_calls >= a.max_open_calls THEN 'too_many_calls'
        WHEN a.clawback_debt > 0 THEN 'debt'
    END;
    IF reason IS NULL THEN
        -- A free price needs no balance; grace never starts a call.
        v_grant := v_price.initial_seconds
            + credit_steps(greatest(0, 60 - v_price.initial_seconds), v_price.increment_seconds);
        IF credit_cost(v_grant, v_price.credits_per_minute, v_price.connection_fee,
                       v_price.initial_seconds, v_price.increment_seconds, 0) > greatest(v_free, 0) THEN
            v_grant := credit_affords(greatest(v_free, 0), v_price.credits_per_minute, v_price.connection_fee,
                                      v_price.initial_seconds, v_price.increment_seconds);
        END IF;
        IF v_grant = 0 THEN
            reason := 'no_credit';
        END IF;
    END IF;

    allowed := reason IS NULL;
    granted_seconds := CASE WHEN allowed THEN v_grant ELSE 0 END;
    held := CASE WHEN allowed THEN credit_cost(
        v_grant, v_price.credits_per_minute, v_price.connection_fee,
        v_price.initial_seconds, v_price.increment_seconds, 0
    ) ELSE 0 END;
    fresh := true;
    INSERT INTO credit_holds (
        user_id, call_id, price_id, credits_per_minute, connection_fee, initial_seconds, increment_seconds, free_seconds,
        state, denied_reason, granted_seconds, held, held_peak, lease_until, settled_at, created_at
    ) VALUES (
        p_user, p_call, v_price.id, coalesce(v_price.credits_per_minute, 0), coalesce(v_price.connection_fee, 0),
        coalesce(v_price.initial_seconds, 60), coalesce(v_price.increment_seconds, 60), coalesce(v_price.free_seconds, 0),
        CASE WHEN allowed THEN 'AUTHORISED' ELSE 'DENIED' END::hold_state, reason, granted_seconds, held, held,
        CASE WHEN allowed THEN v_now + interval '120 seconds' END, CASE WHEN NOT allowed THEN v_now END, v_now
    );
    IF allowed THEN
        a := credit_spend(a, held);
        a.held := a.held + held;
        a.open_calls := a.open_calls + 1;
        PERFORM credit_store(a);
    END IF;
END
$$;

-- The call was answered: the process `p_owner` claims its hold, once. Asked again, by anyone, it says no.
CREATE FUNCTION answer_v1(
    p_user uuid, p_call uuid, p_owner text,
    OUT claimed boolean, OUT granted_seconds integer, OUT cut_at timestamptz
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
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
    WHERE h.user_id = p_user AND h.call_id = p_call AND h.state = 'AUTHORISED'
    RETURNING h.granted_seconds, h.cut_at INTO granted_seconds, cut_at;
    claimed := FOUND;
END
$$;

-- A sign of life of the owner: renews the leases of its calls and writes the talk that is proven. Gives back the calls
-- that are still its own; one that is missing was lost in between, and `extend_v1` brings it back while it is unsettled.
CREATE FUNCTION heartbeat_v1(p_owner text, p_users uuid[], p_calls uuid[], p_used integer[])
RETURNS TABLE (user_id uuid, call_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
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
    )
    UPDATE credit_holds h SET
        lease_until = v_now + interval '45 seconds', used_seconds = greatest(h.used_seconds, beat.used)
    FROM beat WHERE h.user_id = beat.user_id AND h.call_id = beat.call_id
    RETURNING h.user_id, h.call_id;
END
$$;

-- More time for a running call. The owner is checked first, then the request's number: a repeat gets the stored answer
-- and an older one changes nothing. Less than a whole slice makes the hold FINAL; a top-up brings it back.
CREATE FUNCTION extend_v1(
    p_user uuid, p_call uuid, p_owner text, p_request_no integer, p_slice_seconds integer DEFAULT 60,
    OUT extended boolean, OUT state hold_state, OUT granted_seconds integer, OUT cut_at timestamptz, OUT held bigint,
    OUT reason text
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    h credit_holds;
    v_now timestamptz;
    v_free bigint;
    v_grant bigint;
    v_held bigint;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_request_no IS NULL OR p_request_no < 1 OR p_slice_seconds NOT BETWEEN 1 AND 3600 THEN
        RAISE EXCEPTION 'a request has a number from 1 up, and a slice 1 to 3600 seconds' USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    SELECT * INTO h FROM credit_holds WHERE user_id = p_user AND call_id = p_call FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no hold for call %', p_call USING ERRCODE = 'TT404';
    END IF;
    IF h.lease_owner IS DISTINCT FROM p_owner THEN
        RAISE EXCEPTION 'call % is owned by another process', p_call USING ERRCODE = 'TT410';
    END IF;
    extended := false;
    reason := CASE
        WHEN h.settled_at IS NOT NULL THEN 'over'
        WHEN p_request_no = h.request_no THEN 'repeated'
        WHEN p_request_no < h.request_no THEN 'stale'
        WHEN h.cut_claimed_at IS NOT NULL THEN 'cut'
    END;
    IF reason IS NULL THEN
        v_now := clock_timestamp();
        IF h.state = 'RECONCILE' THEN
            -- Its owner was away longer than its lease and is back: the slot was given up, the money is still here.
            a.open_calls := a.open_calls + 1;
        END IF;
        v_grant := h.granted_seconds + credit_steps(p_slice_seconds, h.increment_seconds);
        v_held := credit_cost(v_grant, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, 0);
        v_free := greatest(0, a.balance - a.held + a.grace_limit);
        IF a.blocked_reason IS NOT NULL OR a.clawback_debt > 0 THEN
            v_grant := h.granted_seconds;
            v_held := h.held;
            h.state := 'FINAL';
            reason := CASE WHEN a.blocked_reason IS NOT NULL THEN 'blocked' ELSE 'debt' END;
        ELSIF v_held - h.held <= v_free THEN
            h.state := 'ACTIVE';
        ELSE
            v_grant := greatest(h.granted_seconds, credit_affords(
                h.held + v_free, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds
            ));
            v_held := greatest(h.held, credit_cost(
                v_grant, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, 0
            ));
            h.state := 'FINAL';
            reason := 'no_credit';
        END IF;
        extended := v_grant > h.granted_seconds;
        a := credit_spend(a, v_held - h.held);
        a.held := a.held + (v_held - h.held);
        h.cut_at := h.cut_at + (v_grant - h.granted_seconds) * interval '1 second';
        h.granted_seconds := v_grant;
        h.held := v_held;
        h.request_no := p_request_no;
        UPDATE credit_holds u SET
            state = h.state, granted_seconds = h.granted_seconds, held = h.held,
            held_peak = greatest(h.held_peak, h.held), cut_at = h.cut_at, request_no = h.request_no,
            lease_until = v_now + interval '45 seconds', lost_at = NULL
        WHERE u.user_id = p_user AND u.call_id = p_call;
        PERFORM credit_store(a);
    END IF;
    state := h.state;
    granted_seconds := h.granted_seconds;
    cut_at := h.cut_at;
    held := h.held;
END
$$;

-- Claim the right to cut a call off, once, and only when it is due: for its owner at `cut_at`, for anyone else 2 s later.
-- A claimed hold extends no more.
CREATE FUNCTION cut_v1(p_user uuid, p_call uuid, p_owner text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    PERFORM assert_tenant(p_user);
    UPDATE credit_holds h SET cut_claimed_at = v_now
    WHERE h.user_id = p_user AND h.call_id = p_call AND h.settled_at IS NULL AND h.cut_claimed_at IS NULL
        AND h.cut_at <= v_now - CASE WHEN h.lease_owner = p_owner THEN interval '0' ELSE interval '2 seconds' END;
    RETURN FOUND;
END
$$;

-- The call is over: turn its hold into ledger lines, once. A second settle gets the first one's figures, not fresh.
CREATE FUNCTION settle_v1(
    p_user uuid, p_call uuid, p_seconds integer, p_not_charged_reason text DEFAULT NULL,
    OUT fresh boolean, OUT state hold_state, OUT charged bigint, OUT unbilled bigint, OUT balance bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    h credit_holds;
    v_now timestamptz;
    v_rated bigint := 0;
    v_usage bigint;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_seconds IS NULL OR p_seconds < 0 OR p_seconds > 1000000 THEN
        RAISE EXCEPTION 'a call lasts 0 to 1,000,000 seconds, not %', p_seconds USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    SELECT * INTO h FROM credit_holds WHERE user_id = p_user AND call_id = p_call FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no hold for call %', p_call USING ERRCODE = 'TT404';
    END IF;
    IF h.settled_at IS NOT NULL THEN
        fresh := false;
        state := h.state;
        charged := h.charged;
        unbilled := h.unbilled;
        balance := a.balance;
        RETURN;
    END IF;

    v_now := clock_timestamp();
    -- Nobody ever owned it: it was never answered, and costs nothing whatever anybody measured.
    state := CASE WHEN h.lease_owner IS NULL THEN 'RELEASED' ELSE 'SETTLED' END;
    IF state = 'SETTLED' AND p_not_charged_reason IS NULL THEN
        v_rated := credit_cost(
            p_seconds, h.credits_per_minute, h.connection_fee, h.initial_seconds, h.increment_seconds, h.free_seconds
        );
    END IF;
    charged := least(v_rated, h.held);
    unbilled := v_rated - charged;
    v_usage := least(charged, greatest(a.balance, 0));

    a := credit_spend(a, charged - h.held);
    a.held := a.held - h.held;
    IF h.state IN ('AUTHORISED', 'ACTIVE', 'FINAL') THEN
        a.open_calls := a.open_calls - 1;
    END IF;
    IF v_usage > 0 THEN
        a := credit_append(a, 'CALL_USAGE', -v_usage, p_call, NULL, NULL, NULL, NULL);
    END IF;
    IF charged > v_usage THEN
        a := credit_append(a, 'GRACE_USAGE', v_usage - charged, p_call, NULL, NULL, NULL, NULL);
    END IF;
    UPDATE credit_holds u SET
        state = settle_v1.state, held = 0, charged = settle_v1.charged, unbilled = settle_v1.unbilled, settled_at = v_now,
        settled_seconds = p_seconds, not_charged_reason = p_not_charged_reason
    WHERE u.user_id = p_user AND u.call_id = p_call;
    PERFORM credit_store(a);
    IF unbilled > 0 THEN
        INSERT INTO alerts (id, kind, user_id, detail) VALUES (
            gen_random_uuid(), 'call_unbilled', p_user, jsonb_build_object('call_id', p_call, 'credits', unbilled)
        );
    END IF;
    fresh := true;
    balance := a.balance;
END
$$;

-- The owner of a call gave no sign of life for the length of its lease: free the customer's slot, keep the money held
-- until somebody has asked the carrier. False when the lease was renewed in between, or the call is closed.
CREATE FUNCTION lose_v1(
    p_user uuid, p_call uuid, OUT lost boolean, OUT used_seconds integer, OUT answered boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    h credit_holds;
    v_now timestamptz;
BEGIN
    PERFORM assert_tenant(p_user);
    a := credit_lock(p_user);
    SELECT * INTO h FROM credit_holds WHERE user_id = p_user AND call_id = p_call FOR NO KEY UPDATE;
    lost := FOUND AND h.state IN ('AUTHORISED', 'ACTIVE', 'FINAL') AND h.lease_until < clock_timestamp();
    used_seconds := h.used_seconds;
    answered := h.lease_owner IS NOT NULL;
    IF lost THEN
        v_now := clock_timestamp();
        UPDATE credit_holds u SET state = 'RECONCILE', lost_at = v_now WHERE u.user_id = p_user AND u.call_id = p_call;
        a.open_calls := a.open_calls - 1;
        PERFORM credit_store(a);
    END IF;
END
$$;

-- A lost call is to be hung up at the carrier: from here on its owner cannot take it up again. False when it has done so.
CREATE FUNCTION give_up_v1(p_user uuid, p_call uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    PERFORM assert_tenant(p_user);
    UPDATE credit_holds h SET cut_claimed_at = coalesce(h.cut_claimed_at, v_now)
    WHERE h.user_id = p_user AND h.call_id = p_call AND h.state = 'RECONCILE';
    RETURN FOUND;
END
$$;

-- credits/sql/40_money.sql
-- Money that comes in, and what the operator may do by hand.

-- A paid purchase becomes credits, exactly once, at any balance: it settles grace by arithmetic.
CREATE FUNCTION purchase_v1(
    p_user uuid, p_purchase uuid, OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    v_purchase purchases;
    v_now timestamptz;
BEGIN
    PERFORM assert_tenant(p_user);
    a := credit_lock(p_user);
    SELECT * INTO v_purchase FROM purchases p WHERE p.user_id = p_user AND p.id = p_purchase FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no purchase %', p_purchase USING ERRCODE = 'TT404';
    END IF;
    IF v_purchase.state <> 'PAID' THEN
        RAISE EXCEPTION 'purchase % is not paid but %', p_purchase, v_purchase.state USING ERRCODE = 'TT409';
    END IF;
    fresh := v_purchase.credited_at IS NULL;
    IF fresh THEN
        a := credit_append(a, 'PURCHASE', v_purchase.credits, NULL, p_purchase, NULL, NULL, NULL);
        PERFORM credit_store(a);
        v_now := clock_timestamp();
        UPDATE purchases p SET credited_at = v_now WHERE p.user_id = p_user AND p.id = p_purchase;
    END IF;
    SELECT t.seq, t.amount, t.balance_after INTO STRICT seq, amount, balance_after
    FROM credit_transactions t WHERE t.user_id = p_user AND t.purchase_id = p_purchase AND t.type = 'PURCHASE';
END
$$;

-- The operator gives or takes credits. Taking may use only what is free; `p_as_debt` insists. The reference makes it
-- happen once: the same words again get the first answer, other words an error.
CREATE FUNCTION adjust_v1(
    p_user uuid, p_reference text, p_amount bigint, p_reason text, p_actor uuid, p_as_debt boolean DEFAULT false,
    OUT fresh boolean, OUT seq bigint, OUT amount bigint, OUT balance_after bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
    t credit_transactions;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_amount IS NULL OR p_amount = 0 OR p_amount NOT BETWEEN -1000000000000 AND 1000000000000 THEN
        RAISE EXCEPTION 'an adjustment is 1 to 1,000,000,000,000 credits either way, not %', p_amount USING ERRCODE = 'TT422';
    END IF;
    IF btrim(coalesce(p_reference, '')) = '' OR btrim(coalesce(p_reason, '')) = '' OR p_actor IS NULL THEN
        RAISE EXCEPTION 'an adjustment needs a reference, a reason and who makes it' USING ERRCODE = 'TT422';
    END IF;
    IF p_reference ~ '^(correction|rent|refund|dispute):' THEN
        RAISE EXCEPTION 'references beginning with % are the system''s own', split_part(p_reference, ':', 1)
            USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    SELECT * INTO t FROM credit_transactions c WHERE c.user_id = p_user AND c.reference = p_reference;
    fresh := NOT FOUND;
    IF fresh THEN
        IF p_amount < -greatest(0, a.balance - a.held) THEN
            IF NOT p_as_debt THEN
                RAISE EXCEPTION 'only % credits are free to be taken, not %', greatest(0, a.balance - a.held), -p_amount
                    USING ERRCODE = 'TT402';
            END IF;
            a.clawback_debt := greatest(a.clawback_debt, -a.grace_limit - (a.balance + p_amount - a.held));
        END IF;
        a := credit_append(a, 'ADMIN_ADJUSTMENT', p_amount, NULL, NULL, p_reference, p_reason, p_actor);
        PERFORM credit_store(a);
        seq := a.seq;
        amount := p_amount;
        balance_after := a.balance;
    ELSIF t.type <> 'ADMIN_ADJUSTMENT' OR t.amount <> p_amount OR t.reason <> p_reason OR t.actor_id <> p_actor THEN
        RAISE EXCEPTION 'reference % was used for another line', p_reference USING ERRCODE = 'TT409';
    ELSE
        seq := t.seq;
        amount := t.amount;
        balance_after := t.balance_after;
    END IF;
END
$$;

-- How far running calls may go below zero, and how many may run at once; NULL leaves one as it is. A lowered grace line
-- that is already crossed becomes debt; a lowered cap ends nothing.
CREATE FUNCTION set_limits_v1(
    p_user uuid, p_grace_limit bigint DEFAULT NULL, p_max_open_calls integer DEFAULT NULL,
    OUT grace_limit bigint, OUT max_open_calls integer, OUT clawback_debt bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
BEGIN
    PERFORM assert_tenant(p_user);
    IF p_grace_limit NOT BETWEEN 0 AND 1000000000000 OR p_max_open_calls NOT BETWEEN 0 AND 100000 THEN
        RAISE EXCEPTION 'grace is 0 to 1,000,000,000,000 credits and the cap 0 to 100,000 calls' USING ERRCODE = 'TT422';
    END IF;
    a := credit_lock(p_user);
    a.grace_limit := coalesce(p_grace_limit, a.grace_limit);
    a.max_open_calls := coalesce(p_max_open_calls, a.max_open_calls);
    a.clawback_debt := greatest(0, -a.grace_limit - (a.balance - a.held));
    PERFORM credit_store(a);
    grace_limit := a.grace_limit;
    max_open_calls := a.max_open_calls;
    clawback_debt := a.clawback_debt;
END
$$;

-- Nothing starts or extends on a blocked account; NULL unblocks. What is due is still settled and taken in.
CREATE FUNCTION block_v1(p_user uuid, p_reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    a credit_accounts;
BEGIN
    PERFORM assert_tenant(p_user);
    a := credit_lock(p_user);
    a.blocked_reason := nullif(btrim(p_reason), '');
    PERFORM credit_store(a);
END
$$;

-- credits/sql/50_verify.sql
-- The books prove themselves. Each function lists violations for a range of users; none found is an empty answer. They
-- run with the asker's own rights (talktime_everyone), so what they see is what row-level security shows.

-- Lines: numbered without a gap, balances chain, hashes chain; from the checkpoint on, or from the first line.
CREATE FUNCTION verify_lines_v1(p_from uuid, p_to uuid, p_full boolean)
RETURNS TABLE (user_id uuid, seq bigint, problem text) LANGUAGE sql STABLE AS $$
    WITH start AS (
        SELECT a.user_id, coalesce(c.seq, 0) AS seq, coalesce(c.balance, 0) AS balance, coalesce(c.hash, '\x'::bytea) AS hash
        FROM credit_accounts a LEFT JOIN ledger_checkpoints c ON c.user_id = a.user_id AND NOT p_full
        WHERE a.user_id >= p_from AND a.user_id < p_to
    ), line AS (
        SELECT t.*,
            lag(t.seq, 1, s.seq) OVER w AS previous_seq,
            lag(t.balance_after, 1, s.balance) OVER w AS previous_balance,
            lag(t.hash, 1, s.hash) OVER w AS previous_hash
        FROM start s JOIN credit_transactions t ON t.user_id = s.user_id AND t.seq > s.seq
        WINDOW w AS (PARTITION BY t.user_id ORDER BY t.seq)
    )
    SELECT l.user_id, l.seq, p.problem FROM line l CROSS JOIN LATERAL (VALUES
        (CASE WHEN l.seq <> l.previous_seq + 1 THEN format('line %s follows line %s', l.seq, l.previous_seq) END),
        (CASE WHEN l.balance_after <> l.previous_balance + l.amount
            THEN format('balance %s is not %s %s', l.balance_after, l.previous_balance, to_char(l.amount, 'SG999999999999999999')) END),
        (CASE WHEN l.hash <> credit_line_hash(
            l.previous_hash, l.user_id, l.seq, l.type, l.amount, l.balance_after, l.call_id, l.purchase_id, l.reference,
            l.reason, l.actor_id, l.created_at) THEN 'the hash does not match the line' END)
    ) AS p (problem) WHERE p.problem IS NOT NULL
$$;

-- Accounts against their newest line and their open holds.
CREATE FUNCTION verify_accounts_v1(p_from uuid, p_to uuid)
RETURNS TABLE (user_id uuid, seq bigint, problem text) LANGUAGE sql STABLE AS $$
    WITH account AS (
        SELECT a.*, t.seq AS line_seq, t.balance_after, t.hash, h.held AS holds, h.open AS opened
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
        (CASE WHEN a.seq <> coalesce(a.line_seq, 0)
            THEN format('the account counts %s lines, the newest is %s', a.seq, coalesce(a.line_seq, 0)) END),
        (CASE WHEN a.balance <> coalesce(a.balance_after, 0)
            THEN format('balance %s, but the newest line says %s', a.balance, coalesce(a.balance_after, 0)) END),
        (CASE WHEN a.head <> coalesce(a.hash, '\x'::bytea) THEN 'the head is not the hash of the newest line' END),
        (CASE WHEN a.held <> a.holds THEN format('held %s, but open holds sum to %s', a.held, a.holds) END),
        (CASE WHEN a.open_calls <> a.opened THEN format('%s open calls, but %s open holds', a.open_calls, a.opened) END),
        (CASE WHEN a.balance - a.held < -a.grace_limit - a.clawback_debt THEN 'overspent' END)
    ) AS p (problem) WHERE p.problem IS NOT NULL
$$;

-- Calls and purchases against their lines; holds that outlive their call.
CREATE FUNCTION verify_holds_v1(p_from uuid, p_to uuid)
RETURNS TABLE (user_id uuid, seq bigint, problem text) LANGUAGE sql STABLE AS $$
    WITH charge AS (
        SELECT t.user_id, t.call_id, sum(t.amount) AS amount, max(t.seq) AS seq FROM credit_transactions t
        WHERE t.user_id >= p_from AND t.user_id < p_to AND t.call_id IS NOT NULL GROUP BY t.user_id, t.call_id
    )
    SELECT coalesce(h.user_id, c.user_id), c.seq,
        format('call %s: its lines sum to %s, its hold says %s', coalesce(h.call_id, c.call_id),
               coalesce(c.amount, 0), -coalesce(h.charged + h.corrected, 0))
    FROM (SELECT * FROM credit_holds x WHERE x.user_id >= p_from AND x.user_id < p_to) h
    FULL JOIN charge c ON c.user_id = h.user_id AND c.call_id = h.call_id
    WHERE coalesce(c.amount, 0) <> -coalesce(h.charged + h.corrected, 0)
    UNION ALL
    SELECT p.user_id, t.seq, format('purchase %s: credited %s, its line says %s', p.id,
                                    CASE WHEN p.credited_at IS NULL THEN 0 ELSE p.credits END, coalesce(t.amount, 0))
    FROM purchases p
    LEFT JOIN credit_transactions t ON t.user_id = p.user_id AND t.purchase_id = p.id AND t.type = 'PURCHASE'
    WHERE p.user_id >= p_from AND p.user_id < p_to
        AND coalesce(t.amount, 0) <> CASE WHEN p.credited_at IS NULL THEN 0 ELSE p.credits END
    UNION ALL
    SELECT p.user_id, NULL, format('purchase %s: %s credits reversed, its lines say %s', p.id, p.reversed_credits, -r.amount)
    FROM purchases p CROSS JOIN LATERAL (
        SELECT coalesce(sum(t.amount), 0) AS amount FROM credit_transactions t
        WHERE t.user_id = p.user_id AND t.purchase_id = p.id AND t.type IN ('REFUND', 'DISPUTE')
    ) r
    WHERE p.user_id >= p_from AND p.user_id < p_to AND p.reversed_credits <> -r.amount
    UNION ALL
    SELECT h.user_id, NULL, format('call %s: its hold is %s, the call %s', h.call_id, h.state, c.status)
    FROM credit_holds h JOIN calls c ON c.user_id = h.user_id AND c.id = h.call_id
    WHERE h.user_id >= p_from AND h.user_id < p_to
        AND (h.settled_at IS NOT NULL) <> (c.status NOT IN ('RINGING', 'IN_PROGRESS'))
    UNION ALL
    SELECT c.user_id, NULL, format('call %s is %s and has no hold', c.id, c.status)
    FROM calls c LEFT JOIN credit_holds h ON h.user_id = c.user_id AND h.call_id = c.id
    WHERE c.user_id >= p_from AND c.user_id < p_to AND c.status IN ('RINGING', 'IN_PROGRESS') AND h.call_id IS NULL
    UNION ALL
    SELECT d.user_id, NULL, format('the directory points at call %s, which is not there', d.call_id)
    FROM call_directory d LEFT JOIN calls c ON c.user_id = d.user_id AND c.id = d.call_id
    WHERE d.user_id >= p_from AND d.user_id < p_to AND c.id IS NULL
    UNION ALL
    SELECT d.user_id, NULL, format('the directory points at purchase %s, which is not there', d.purchase_id)
    FROM purchase_directory d LEFT JOIN purchases p ON p.user_id = d.user_id AND p.id = d.purchase_id
    WHERE d.user_id >= p_from AND d.user_id < p_to AND p.id IS NULL
    UNION ALL
    SELECT h.user_id, NULL, format('call %s: its hold outlives its lease by more than 120 seconds', h.call_id)
    FROM credit_holds h
    WHERE h.user_id >= p_from AND h.user_id < p_to AND h.settled_at IS NULL
        AND h.lease_until < statement_timestamp() - interval '120 seconds'
$$;

-- db/sql/90_access.sql
-- Who may touch what. `talktime` sees one user's rows, `talktime_everyone` all of them; neither may write the books but
-- through the functions. `talktime_login`, which connections begin with, may nothing.

-- Tenant tables: one policy for a user, one for everyone.
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY[
        'agents', 'agent_versions', 'calls', 'call_turns', 'credit_accounts', 'credit_holds', 'credit_transactions',
        'ledger_checkpoints', 'purchases'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format(
            'CREATE POLICY own ON %I TO talktime USING (user_id = nullif(current_setting(''talktime.user_id'', true), '''')::uuid)',
            v_table
        );
        EXECUTE format('CREATE POLICY everyone ON %I TO talktime_everyone USING (true)', v_table);
        EXECUTE format('GRANT SELECT ON %I TO talktime, talktime_everyone', v_table);
    END LOOP;
END
$$;

GRANT INSERT, UPDATE ON agents TO talktime, talktime_everyone;
GRANT INSERT ON agent_versions, call_turns TO talktime, talktime_everyone;
GRANT UPDATE (carrier_seconds, summary, outcome) ON calls TO talktime, talktime_everyone;
GRANT INSERT (user_id, id, pack_id, credits, price_minor, currency, gateway, state, paid_at), UPDATE (state, paid_at, updated_at)
    ON purchases TO talktime, talktime_everyone;
GRANT INSERT, UPDATE ON ledger_checkpoints TO talktime_everyone;

-- Directory tables: what a user may read is the price list and the packs; the rest is reached through functions, or by
-- those who say why they must see everyone's.
GRANT SELECT ON prices, credit_packs TO talktime;
ALTER TABLE prices ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON prices TO talktime
    USING (user_id IS NULL OR user_id = nullif(current_setting('talktime.user_id', true), '')::uuid);
CREATE POLICY everyone ON prices TO talktime_everyone USING (true);
GRANT SELECT, INSERT, UPDATE ON users, prices, credit_packs, phone_numbers, purchase_directory, provider_events, alerts
    TO talktime_everyone;
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO talktime_everyone;
GRANT SELECT ON call_directory TO talktime_everyone;

-- Functions: nobody, then those that are doors.
DO $$
DECLARE
    v_function regprocedure;
BEGIN
    FOR v_function IN
        SELECT p.oid::regprocedure FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.proname NOT LIKE 'procrastinate%'
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_function);
    END LOOP;
    FOR v_function IN
        SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proname IN (
            'authorise_v1', 'answer_v1', 'heartbeat_v1', 'extend_v1', 'cut_v1', 'settle_v1', 'lose_v1', 'give_up_v1', 'purchase_v1',
            'adjust_v1', 'set_limits_v1', 'block_v1', 'answer_call_v1', 'finish_v1', 'ring_v1',
            'credit_cost', 'credit_affords'
        )
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO talktime, talktime_everyone', v_function);
    END LOOP;
    FOR v_function IN
        SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proname IN (
            'find_ring_v1', 'verify_lines_v1', 'verify_accounts_v1', 'verify_holds_v1', 'credit_line_hash', 'credit_field'
        )
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO talktime_everyone', v_function);
    END LOOP;
END
$$;
