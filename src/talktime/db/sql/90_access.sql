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
