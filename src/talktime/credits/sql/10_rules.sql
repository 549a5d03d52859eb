-- The arithmetic of a charge, and who may ask for it. Pure functions first: Python's pricing.py says the same, and a
-- test compares the two.

-- What a call of so many seconds costs, in credits: fee + ceil(rate × billable / 60), rounded once, at the end, up.
CREATE FUNCTION credit_cost(
    p_seconds bigint, p_rate bigint, p_fee bigint, p_initial integer, p_increment integer, p_free integer
) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN p_seconds < greatest(p_free, 1) THEN 0
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

-- The hash of a ledger line, version 2: the version, every column and the hash of the line before, as PostgreSQL sends a
-- row (how many columns; of each the number of its type and its length, -1 for none; a time is µs since 2000-01-01 UTC, and words
-- are bytes, or they would be sent in whatever encoding the client asked for).
-- One call for all columns: what a function does once for each column was a tenth of a posting.
CREATE FUNCTION credit_line_hash(
    p_previous bytea, p_user uuid, p_seq bigint, p_type transaction_type, p_amount bigint, p_balance_after bigint,
    p_call uuid, p_purchase uuid, p_reference text, p_reason text, p_actor uuid, p_created_at timestamptz
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(record_send(ROW(
    2, p_user, p_seq, p_type::text, p_amount, p_balance_after, p_call, p_purchase, convert_to(p_reference, 'UTF8'),
    convert_to(p_reason, 'UTF8'), p_actor, p_created_at, p_previous
)));

CREATE FUNCTION credit_field(p_value bytea) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(int4send(octet_length(p_value)) || p_value, int4send(-1));

-- Version 1, of lines that were written before version 2: a version byte, then every column, each length-prefixed, then
-- the hash of the line before. No new line gets it.
CREATE FUNCTION credit_line_hash_1(
    p_previous bytea, p_user uuid, p_seq bigint, p_type transaction_type, p_amount bigint, p_balance_after bigint,
    p_call uuid, p_purchase uuid, p_reference text, p_reason text, p_actor uuid, p_created_at timestamptz
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(
    -- What has one length only has it as a constant: \x00000010 for an id, \x00000008 for a number, \xffffffff for none.
    '\x0100000010'::bytea || uuid_send(p_user) || '\x00000008'::bytea || int8send(p_seq)
    || int4send(octet_length(enum_send(p_type))) || enum_send(p_type)
    || '\x00000008'::bytea || int8send(p_amount) || '\x00000008'::bytea || int8send(p_balance_after)
    || coalesce('\x00000010'::bytea || uuid_send(p_call), '\xffffffff'::bytea)
    || coalesce('\x00000010'::bytea || uuid_send(p_purchase), '\xffffffff'::bytea)
    || credit_field(convert_to(p_reference, 'UTF8')) || credit_field(convert_to(p_reason, 'UTF8'))
    || coalesce('\x00000010'::bytea || uuid_send(p_actor), '\xffffffff'::bytea)
    || '\x00000008'::bytea || int8send((extract(epoch FROM p_created_at) * 1000000)::bigint)
    || int4send(octet_length(p_previous)) || p_previous
);

-- The functions here run with their owner's rights, so each asks this first: is the transaction that user's, or
-- everyone's? ('role' is what SET ROLE said outside; it does not change inside a definer function.)
CREATE FUNCTION assert_tenant(p_user uuid) RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    IF current_setting('role') = 'talktime_everyone' THEN
        RETURN;
    END IF;
    -- Nobody in particular is nobody's own either.
    IF (p_user = nullif(current_setting('talktime.user_id', true), '')::uuid) IS NOT TRUE THEN
        RAISE EXCEPTION 'this transaction is not of user %', p_user USING ERRCODE = 'TT403';
    END IF;
END
$$;
