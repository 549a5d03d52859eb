-- What each connection of `talktime db fill` needs once. Lines are chained by the very function that the books use.

CREATE AGGREGATE pg_temp.fill_chain (
    uuid, bigint, transaction_type, bigint, bigint, uuid, uuid, text, text, uuid, timestamptz
) (SFUNC = credit_line_hash, STYPE = bytea, INITCOND = '\x');

-- Who is made next: copied in by the program, gone with the transaction.
CREATE TEMP TABLE fill_people (
    user_id uuid, email text, calls integer, agents uuid[], numbers uuid[], first_number bigint
) ON COMMIT DELETE ROWS;

CREATE TEMP TABLE fill_calls (
    user_id uuid, id uuid, agent_id uuid, agent_version integer, number_id uuid, carrier_call_id text, caller text,
    dialled text, kind text, started_at timestamptz, seconds integer, charged bigint, outcome text
) ON COMMIT DELETE ROWS;
