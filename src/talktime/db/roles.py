"""The four roles and what they may do with the schema. Roles belong to the whole server, so several databases, and
several deploys at once, may make them: everything here can be said again.

`talktime_owner` owns and migrates. `talktime` sees one user's rows, `talktime_everyone` all of them.
`talktime_login` is what connections begin with: it sees nothing, and may become the other two.
"""

OWNER = "talktime_owner"
TENANT = "talktime"
EVERYONE = "talktime_everyone"
LOGIN = "talktime_login"

MAKE_ROLES = f"""\
DO $$
DECLARE
    v_role text;
BEGIN
    FOREACH v_role IN ARRAY ARRAY['{OWNER}', '{TENANT}', '{EVERYONE}', '{LOGIN}'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = v_role) THEN
            EXECUTE format(
                'CREATE ROLE %I NOLOGIN %s', v_role, CASE v_role WHEN '{LOGIN}' THEN 'NOINHERIT' ELSE 'INHERIT' END
            );
        END IF;
    END LOOP;
    FOREACH v_role IN ARRAY ARRAY['{TENANT}', '{EVERYONE}'] LOOP
        IF NOT pg_has_role('{LOGIN}', v_role, 'MEMBER') THEN
            EXECUTE format(
                'GRANT %I TO {LOGIN} %s', v_role,
                CASE WHEN current_setting('server_version_num')::integer >= 160000
                    THEN 'WITH INHERIT FALSE, SET TRUE' ELSE '' END
            );
        END IF;
    END LOOP;
END
$$;
"""

OPEN_SCHEMA = f"""\
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO {OWNER};
GRANT USAGE ON SCHEMA public TO {TENANT}, {EVERYONE}, {LOGIN};
"""

PREAMBLE = f"""\
-- The roles, if missing.
{MAKE_ROLES}
{OPEN_SCHEMA}
-- From here on everything belongs to the owner.
SET ROLE {OWNER};
SET search_path TO public;
"""
