-- Who may touch what. `talktime` sees one user's rows, `talktime_everyone` all of them; neither may write the books but
-- through the functions. `talktime_login`, which connections begin with, may nothing.

-- Tenant tables: one policy for a user, one for everyone.
DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY[
        'agents', 'agent_versions', 'agent_drafts', 'calls', 'call_turns', 'credit_accounts', 'credit_holds', 'credit_transactions',
        'ledger_checkpoints', 'purchases', 'notices', 'credit_reversals', 'charge_claims', 'payment_reversals',
        'refund_requests', 'top_ups', 'invoices', 'billing_details', 'recovery_codes', 'audit_entries', 'audit_heads',
        'webhook_endpoints', 'webhook_events', 'webhook_deliveries', 'webhook_attempts',
        'mail_choices', 'idempotency_keys', 'turn_corrections', 'use_days', 'use_counts'
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

GRANT INSERT, UPDATE ON agents, agent_drafts TO talktime, talktime_everyone;
GRANT INSERT ON agent_versions, call_turns TO talktime, talktime_everyone;
GRANT UPDATE (carrier_seconds, summary, outcome) ON calls TO talktime, talktime_everyone;
GRANT INSERT (user_id, id, kind, request_key, pack_id, name, credits, price_minor, currency, gateway, test, save_card,
    success_url, cancel_url, customer_id, payment_method_id, state, paid_at, failure, checkout_url, expires_at) ON purchases TO talktime_everyone;
GRANT UPDATE (state, paid_at, failure, checkout_url, expires_at, updated_at) ON purchases TO talktime_everyone;
GRANT INSERT, UPDATE ON payment_reversals, refund_requests TO talktime_everyone;
-- What a customer chooses is theirs to write; which card is charged, and how it went, is not.
GRANT INSERT (user_id, enabled, threshold, pack_id, credits, price_minor, currency, ceiling_minor, consented_at, declines, not_before, stopped_reason, updated_at),
    UPDATE (enabled, threshold, pack_id, credits, price_minor, currency, ceiling_minor, consented_at, declines, not_before, stopped_reason, updated_at)
    ON top_ups TO talktime;
GRANT INSERT, UPDATE ON top_ups TO talktime_everyone;
GRANT INSERT, UPDATE ON billing_details TO talktime, talktime_everyone;
-- Documents are written once. Their numbers are counted in the transaction that issues them.
GRANT INSERT ON invoices TO talktime_everyone;
GRANT SELECT, INSERT ON invoice_numbers TO talktime_everyone;
GRANT SELECT, INSERT, UPDATE ON invoice_series, payment_rounds TO talktime_everyone;
-- Of a payment that granted nothing stands here what it was; only what became of it changes.
GRANT SELECT, INSERT ON ungranted_payments TO talktime_everyone;
GRANT SELECT, INSERT, UPDATE ON ungranted_reversals TO talktime_everyone;
GRANT INSERT, UPDATE ON ledger_checkpoints TO talktime_everyone;
GRANT INSERT (user_id, id, kind, subject, detail) ON notices TO talktime, talktime_everyone;
GRANT UPDATE (not_before, tries, mailed_at, dropped_at, dropped_reason) ON notices TO talktime_everyone;
GRANT INSERT, UPDATE ON mail_choices TO talktime, talktime_everyone;
-- A customer's endpoints are theirs to write, and so is what is to be sent to them once more; what came of it is not.
GRANT INSERT, UPDATE ON webhook_endpoints TO talktime, talktime_everyone;
GRANT INSERT (user_id, id, type, data, created_at), UPDATE (body) ON webhook_events TO talktime, talktime_everyone;
GRANT INSERT (user_id, id, endpoint_id, event_id, state, due_at, ended_at, created_at),
    UPDATE (state, tries, due_at, ended_at) ON webhook_deliveries TO talktime, talktime_everyone;
GRANT UPDATE (sequence, attempts) ON webhook_deliveries TO talktime_everyone;
GRANT INSERT, UPDATE ON webhook_attempts TO talktime_everyone;
GRANT DELETE ON webhook_endpoints, webhook_events, webhook_deliveries, webhook_attempts TO talktime_everyone;

-- Directory tables: what a user may read is the price list and the packs; the rest is reached through functions, or by
-- those who say why they must see everyone's.
GRANT SELECT ON prices, credit_packs TO talktime;
ALTER TABLE prices ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON prices TO talktime
    USING (user_id IS NULL OR user_id = nullif(current_setting('talktime.user_id', true), '')::uuid);
CREATE POLICY everyone ON prices TO talktime_everyone USING (true);
GRANT SELECT, INSERT, UPDATE ON users, prices, credit_packs, phone_numbers, purchase_directory, provider_events, alerts
    TO talktime_everyone;
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, account_links, api_keys TO talktime_everyone;
GRANT SELECT, INSERT, UPDATE ON number_orders TO talktime_everyone;
GRANT SELECT, INSERT, UPDATE, DELETE ON number_proofs TO talktime_everyone;
GRANT INSERT, UPDATE, DELETE ON recovery_codes TO talktime_everyone;
GRANT INSERT, UPDATE, DELETE ON idempotency_keys, turn_corrections TO talktime, talktime_everyone;
GRANT SELECT, DELETE ON throttles TO talktime_everyone;
GRANT DELETE ON provider_events TO talktime_everyone;
GRANT SELECT, INSERT, UPDATE, DELETE ON marks, job_runs, operating_quarters TO talktime_everyone;
GRANT SELECT ON call_directory TO talktime_everyone;
-- What calls cost the operator: a tenant's table that the tenant may not read.
ALTER TABLE call_costs ENABLE ROW LEVEL SECURITY;
CREATE POLICY everyone ON call_costs TO talktime_everyone USING (true);
GRANT SELECT, UPDATE (amount_micros, currency, reported, ask_at, asked) ON call_costs TO talktime_everyone;
GRANT SELECT, INSERT ON cost_rates TO talktime_everyone;
GRANT SELECT, INSERT, UPDATE ON approvals TO talktime_everyone;
-- What happens to a customer in a transaction of their own may raise an alert about them; they see none.
GRANT INSERT (id, kind, user_id, detail) ON alerts TO talktime;
ALTER TABLE alerts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON alerts FOR INSERT TO talktime
    WITH CHECK (user_id = nullif(current_setting('talktime.user_id', true), '')::uuid);
CREATE POLICY everyone ON alerts TO talktime_everyone USING (true);

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
            'authorise_v1', 'answer_v1', 'heartbeat_v1', 'extend_v1', 'cut_v1', 'settle_v1', 'lose_v1', 'give_up_v1',
            'set_guards_v1', 'set_low_balance_v1', 'correct_v1', 'claim_v1', 'rent_v1', 'close_v1', 'correct_call_v1', 'settle_many_v1', 'extend_many_v1', 'answer_call_v1', 'finish_v1', 'note_costs_v1', 'begin_leg_v1', 'name_leg_v1', 'end_leg_v1', 'return_call_v1',
            'credit_cost', 'credit_affords', 'audit_v1', 'forget_calls_v1', 'redact_calls_v1', 'redact_notices_v1', 'webhook_event_v1', 'redact_webhooks_v1', 'empty_webhooks_v1',
            -- The index of what was said is kept by whoever writes it.
            'turn_words', 'word_text', 'said_on_v1', 'find_words_v1'
        )
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO talktime, talktime_everyone', v_function);
    END LOOP;
    FOR v_function IN
        SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.proname IN (
            -- A ring finds its call by the carrier's name of it, whosever it is.
            'ring_v1', 'find_ring_v1',
            -- What brings credits in, takes them away by hand or says how far somebody may go is no customer's own doing.
            'purchase_v1', 'reverse_v1', 'adjust_v1', 'post_many_v1', 'set_limits_v1', 'block_v1', 'waive_v1', 'decide_claim_v1', 'payout_v1', 'verify_lines_v2', 'verify_new_lines_v2', 'verify_accounts_v2', 'verify_calls_v2', 'verify_new_calls_v2', 'credit_line_hash', 'credit_line_hash_1', 'credit_line_is_genuine',
            'credit_field',
            'cost_amount', 'verify_audit_v1', 'verify_audit_range_v1', 'audit_hash', 'enter_api_v1', 'throttle_v1', 'throttle_forgive_v1',
            'accept_event_v1', 'retain_calls_v1', 'forget_reports_v1', 'redacted', 'empty_agents_v1', 'claim_webhooks_v1', 'count_use_v1'
        )
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO talktime_everyone', v_function);
    END LOOP;
END
$$;
