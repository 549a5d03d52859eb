-- Documents of money are never changed and never deleted, whoever asks. Grants say so too; this is the guard behind them.
CREATE FUNCTION invoices_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'documents of money are append-only: % of % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'TT409';
END
$$;

CREATE TRIGGER invoices_append_only BEFORE UPDATE OR DELETE ON invoices
    FOR EACH ROW EXECUTE FUNCTION invoices_append_only();
CREATE TRIGGER invoices_no_truncate BEFORE TRUNCATE ON invoices
    FOR EACH STATEMENT EXECUTE FUNCTION invoices_append_only();
CREATE TRIGGER invoice_numbers_append_only BEFORE UPDATE OR DELETE ON invoice_numbers
    FOR EACH ROW EXECUTE FUNCTION invoices_append_only();
CREATE TRIGGER invoice_numbers_no_truncate BEFORE TRUNCATE ON invoice_numbers
    FOR EACH STATEMENT EXECUTE FUNCTION invoices_append_only();
