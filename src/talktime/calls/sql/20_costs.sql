-- What calls cost the operator. Written by these functions, so that a customer's own transaction can leave behind what
-- the customer may not read. Nothing here may fail for a reason of its own: a call ends in the same transaction.

-- What so much cost at a moment, by the rate that was valid then, rounded up to a millionth. NULL: no rate is known.
CREATE FUNCTION cost_amount(
    p_provider text, p_kind cost_kind, p_quantity bigint, p_at timestamptz, OUT amount_micros bigint, OUT currency text
) LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- numeric, because a product of two large numbers is larger than a bigint; `div` never rounds.
    SELECT least(div(p_quantity::numeric * r.amount_micros + r.units - 1, r.units), 1000000000000000000)::bigint, r.currency
    INTO amount_micros, currency
    FROM cost_rates r
    WHERE r.provider = p_provider AND r.kind = p_kind AND r.valid_from <= p_at
    ORDER BY r.valid_from DESC LIMIT 1;
END
$$;

-- What a call used of its vendors. Told again it changes nothing; what was counted only grows, so an older count that
-- comes late changes nothing either.
CREATE FUNCTION note_costs_v1(
    p_user uuid, p_call uuid, p_providers text[], p_kinds cost_kind[], p_quantities bigint[], p_estimated boolean[]
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
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
$$;

-- The carrier's part, whoever ends the call: the talk by our clock until the carrier says how long it was. The carrier
-- is asked for its own price some minutes later. To the carrier a call whose caller was put through and came back is one,
-- from ring to end: all of it is the first part's.
CREATE FUNCTION calls_cost_carrier() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_seconds bigint := coalesce(NEW.carrier_seconds, NEW.seconds, 0);
    v_ask_at timestamptz := clock_timestamp() + interval '2 minutes';
BEGIN
    IF NEW.carrier = 'browser' THEN
        RETURN NULL;  -- the customer called their own agent, and no phone company is owed anything for it
    END IF;
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
$$;

CREATE TRIGGER calls_cost_carrier AFTER UPDATE OF status, carrier_seconds ON calls
    FOR EACH ROW WHEN (NEW.ended_at IS NOT NULL AND NEW.resumes_id IS NULL) EXECUTE FUNCTION calls_cost_carrier();
