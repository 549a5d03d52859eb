"""The questions that `catalog.py` asks of PostgreSQL's own tables. Names come back quoted, ready to stand in SQL.

Each runs with `search_path` set to `public`, so that what PostgreSQL prints does not depend on who asks.
"""

# ruff: noqa: S608  what is put into these texts are the constants of this file

_OTHERS = "'^(procrastinate_|alembic_version)'"
"""The tables of other libraries, and everything named after them."""


def _ours(catalog: str, row: str, name: str, namespace: str) -> str:
    """A thing in `public` that belongs to no other library and to no extension."""
    return f"""{row}.{namespace} = 'public'::regnamespace AND {row}.{name} !~ {_OTHERS} AND NOT EXISTS (
        SELECT FROM pg_depend x WHERE x.classid = '{catalog}'::regclass AND x.objid = {row}.oid AND x.deptype = 'e')"""


_OUR_CLASS = _ours("pg_class", "c", "relname", "relnamespace")
_OUR_TABLE = f"c.relkind = 'r' AND {_OUR_CLASS}"
_OUR_TYPE = _ours("pg_type", "t", "typname", "typnamespace")
_OUR_FUNCTION = _ours("pg_proc", "p", "proname", "pronamespace")
_NOT_OF_A_COLUMN = """NOT EXISTS (
    SELECT FROM pg_depend i WHERE i.classid = 'pg_class'::regclass AND i.objid = c.oid AND i.deptype = 'i')"""
_OPTIONS = "coalesce((SELECT string_agg(o, ', ' ORDER BY o) FROM unnest({}.reloptions) o), '')"
_FUNCTION_NAME = "quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')'"

ENUMS = f"""
    SELECT t.oid, t.typarray, quote_ident(t.typname) AS name, pg_get_userbyid(t.typowner) AS owner,
        ARRAY(
            SELECT quote_literal(e.enumlabel) FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder
        ) AS labels
    FROM pg_type t WHERE t.typtype = 'e' AND {_OUR_TYPE} ORDER BY name"""

SEQUENCES = f"""
    SELECT c.oid, quote_ident(c.relname) AS name, pg_get_userbyid(c.relowner) AS owner, c.relpersistence AS persistence,
        format_type(s.seqtypid, NULL) AS type, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
        quote_ident(o.relname) AS owner_table, quote_ident(a.attname) AS owner_column
    FROM pg_class c JOIN pg_sequence s ON s.seqrelid = c.oid
    LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'a'
        AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
    LEFT JOIN pg_class o ON o.oid = d.refobjid
    LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE c.relkind = 'S' AND {_OUR_CLASS} AND {_NOT_OF_A_COLUMN} ORDER BY name"""

TABLES = f"""
    SELECT c.oid, c.reltype, t.typarray, quote_ident(c.relname) AS name, pg_get_userbyid(c.relowner) AS owner,
        c.relpersistence AS persistence, {_OPTIONS.format("c")} AS options, c.relrowsecurity AS guarded,
        c.relforcerowsecurity AS forced
    FROM pg_class c JOIN pg_type t ON t.oid = c.reltype WHERE {_OUR_TABLE} ORDER BY name"""

COLUMNS = f"""
    SELECT c.oid, a.attnum, d.oid AS default_oid, quote_ident(c.relname) AS "table", quote_ident(a.attname) AS name,
        format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required,
        CASE WHEN a.attcollation <> t.typcollation
            THEN quote_ident(n.nspname) || '.' || quote_ident(l.collname) ELSE '' END AS collation,
        coalesce(pg_get_expr(d.adbin, d.adrelid), '') AS default_text, a.attidentity AS identity,
        a.attgenerated AS generated,
        CASE WHEN s.seqrelid IS NULL THEN '' ELSE format(
            'START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s %s',
            s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
            CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END
        ) END AS sequence
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    LEFT JOIN pg_namespace n ON n.oid = l.collnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    LEFT JOIN pg_depend i ON a.attidentity <> '' AND i.deptype = 'i' AND i.classid = 'pg_class'::regclass
        AND i.refclassid = 'pg_class'::regclass AND i.refobjid = c.oid AND i.refobjsubid = a.attnum
    LEFT JOIN pg_sequence s ON s.seqrelid = i.objid AND a.attidentity <> ''
    WHERE {_OUR_TABLE} ORDER BY "table", a.attnum"""

CONSTRAINTS = f"""
    SELECT k.oid, CASE WHEN k.contype <> 'f' THEN k.conindid ELSE 0 END AS index_oid, k.contype AS type,
        quote_ident(c.relname) AS "table", quote_ident(k.conname) AS name, pg_get_constraintdef(k.oid) AS definition,
        CASE WHEN k.contype IN ('p', 'u', 'x') THEN {_OPTIONS.format("i")} ELSE '' END AS options
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_class i ON i.oid = k.conindid
    WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND {_OUR_TABLE} ORDER BY "table", name"""

INDEXES = f"""
    SELECT i.indexrelid AS oid, quote_ident(c.relname) AS "table", quote_ident(n.relname) AS name,
        pg_get_indexdef(i.indexrelid) AS definition, i.indisvalid AND i.indisready AS valid
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class n ON n.oid = i.indexrelid
    WHERE {_OUR_TABLE} AND NOT EXISTS (
        SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
    ) ORDER BY name"""

FUNCTIONS = f"""
    SELECT p.oid, {_FUNCTION_NAME} AS name, CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind,
        pg_get_userbyid(p.proowner) AS owner, pg_get_functiondef(p.oid) AS definition,
        p.prosqlbody IS NOT NULL AS parsed,
        pg_get_function_arguments(p.oid) AS arguments, coalesce(pg_get_function_result(p.oid), '') AS result
    FROM pg_proc p WHERE p.prokind IN ('f', 'p', 'w') AND {_OUR_FUNCTION} ORDER BY name"""

TRIGGERS = f"""
    SELECT g.oid, quote_ident(c.relname) AS "table", quote_ident(g.tgname) AS name,
        pg_get_triggerdef(g.oid) AS definition, g.tgenabled AS enabled
    FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
    WHERE NOT g.tgisinternal AND {_OUR_TABLE} ORDER BY "table", name"""

POLICIES = f"""
    SELECT o.oid, quote_ident(c.relname) AS "table", quote_ident(o.polname) AS name,
        CASE WHEN o.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END AS type,
        CASE o.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
            ELSE 'ALL' END AS command,
        (SELECT string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END, ', '
            ORDER BY pg_get_userbyid(r)) FROM unnest(o.polroles) r) AS roles,
        coalesce(pg_get_expr(o.polqual, o.polrelid), '') AS qualification,
        coalesce(pg_get_expr(o.polwithcheck, o.polrelid), '') AS "check"
    FROM pg_policy o JOIN pg_class c ON c.oid = o.polrelid WHERE {_OUR_TABLE} ORDER BY "table", name"""

# A NULL list of privileges means the default ones; PUBLIC may call a new function and use a new type.
GRANTS = f"""
    WITH thing AS (
        SELECT 'table' AS kind, quote_ident(c.relname) AS name, '' AS "column", c.relowner AS owner,
            coalesce(c.relacl, acldefault('r', c.relowner)) AS acl, acldefault('r', c.relowner) AS usual
        FROM pg_class c WHERE {_OUR_TABLE}
        UNION ALL
        SELECT 'sequence', quote_ident(c.relname), '', c.relowner,
            coalesce(c.relacl, acldefault('s', c.relowner)), acldefault('s', c.relowner)
        FROM pg_class c WHERE c.relkind = 'S' AND {_OUR_CLASS} AND {_NOT_OF_A_COLUMN}
        UNION ALL
        SELECT 'column', quote_ident(c.relname), quote_ident(a.attname), c.relowner,
            a.attacl, acldefault('c', c.relowner)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND a.attacl IS NOT NULL
            AND NOT a.attisdropped
        WHERE {_OUR_TABLE}
        UNION ALL
        SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, {_FUNCTION_NAME}, '', p.proowner,
            coalesce(p.proacl, acldefault('f', p.proowner)), acldefault('f', p.proowner)
        FROM pg_proc p WHERE p.prokind IN ('f', 'p', 'w') AND {_OUR_FUNCTION}
        UNION ALL
        SELECT 'type', quote_ident(t.typname), '', t.typowner,
            coalesce(t.typacl, acldefault('T', t.typowner)), acldefault('T', t.typowner)
        FROM pg_type t WHERE t.typtype = 'e' AND {_OUR_TYPE}
        UNION ALL
        SELECT 'schema', quote_ident(n.nspname), '', n.nspowner,
            coalesce(n.nspacl, acldefault('n', n.nspowner)), acldefault('n', n.nspowner)
        FROM pg_namespace n WHERE n.nspname = 'public'
    ), given AS (
        SELECT t.kind, t.name, t."column", g.grantee, g.is_grantable, g.privilege_type
        FROM thing t CROSS JOIN aclexplode(t.acl) g WHERE g.grantee <> t.owner AND g.privilege_type <> 'MAINTAIN'
    ), kept_from_owner AS (
        SELECT t.kind, t.name, t."column", t.owner, u.privilege_type
        FROM thing t CROSS JOIN aclexplode(t.usual) u
        WHERE u.grantee = t.owner AND u.privilege_type <> 'MAINTAIN' AND NOT EXISTS (
            SELECT FROM aclexplode(t.acl) g WHERE g.grantee = t.owner AND g.privilege_type = u.privilege_type)
    )
    SELECT kind, name, "column",
        CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS role,
        is_grantable AS grantable, false AS kept,
        array_agg(DISTINCT privilege_type ORDER BY privilege_type) AS privileges
    FROM given GROUP BY kind, name, "column", grantee, is_grantable
    UNION ALL
    SELECT kind, name, "column", quote_ident(pg_get_userbyid(owner)), false, true,
        array_agg(DISTINCT privilege_type ORDER BY privilege_type)
    FROM kept_from_owner GROUP BY kind, name, "column", owner
    ORDER BY 1, 2, 3, 4, 5"""

# What is compared but never written by itself: we use none of it, and a difference is to be seen all the same.
OTHERS = f"""
    SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
            ELSE 'partitioned table' END AS kind,
        quote_ident(c.relname) AS name,
        coalesce(pg_get_viewdef(c.oid), '') || {_OPTIONS.format("c")} AS definition
    FROM pg_class c WHERE c.relkind IN ('v', 'm', 'f', 'p') AND {_OUR_CLASS}
    UNION ALL
    SELECT 'type', quote_ident(t.typname), t.typtype::text || ' ' || coalesce(
        format_type(nullif(t.typbasetype, 0), t.typtypmod),
        (SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ', '
            ORDER BY a.attnum)
            FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '')
        || coalesce((SELECT string_agg(pg_get_constraintdef(k.oid), ', ' ORDER BY k.conname)
            FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'), '')
    FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE (t.typtype IN ('d', 'r') OR (t.typtype = 'c' AND c.relkind = 'c')) AND {_OUR_TYPE}
    UNION ALL
    SELECT 'aggregate', {_FUNCTION_NAME},
        a.aggtransfn::text || ' ' || a.aggfinalfn::text || ' ' || coalesce(a.agginitval, '')
    FROM pg_proc p JOIN pg_aggregate a ON a.aggfnoid = p.oid WHERE {_OUR_FUNCTION}
    UNION ALL
    SELECT 'extension', quote_ident(x.extname), '' FROM pg_extension x WHERE x.extname <> 'plpgsql'
    UNION ALL
    SELECT 'rule', quote_ident(r.rulename) || ' on ' || quote_ident(c.relname), pg_get_ruledef(r.oid)
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class WHERE {_OUR_TABLE}
    UNION ALL
    SELECT 'statistics', quote_ident(s.stxname), pg_get_statisticsobjdef(s.oid)
    FROM pg_statistic_ext s WHERE s.stxnamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'default privileges', quote_ident(pg_get_userbyid(d.defaclrole)) || ' ' || d.defaclobjtype::text,
        (SELECT string_agg(g.grantee::regrole::text || ' ' || g.privilege_type, ', '
            ORDER BY g.grantee::regrole::text, g.privilege_type)
            FROM aclexplode(d.defaclacl) g WHERE g.privilege_type <> 'MAINTAIN')
    FROM pg_default_acl d WHERE d.defaclnamespace IN (0, 'public'::regnamespace)
    ORDER BY 1, 2"""

DEPENDENCIES = """
    SELECT classid::regclass::text, objid, objsubid, refclassid::regclass::text, refobjid, refobjsubid
    FROM pg_depend WHERE deptype IN ('n', 'a', 'i') ORDER BY 1, 2, 3, 4, 5, 6"""
