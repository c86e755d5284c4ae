-- Two roles for Letterbox: letterbox_owner owns the tables and migrates, letterbox runs the service and owns nothing.
--
-- Run it as a superuser in Letterbox's database, new or in use, as often as you like:
--     psql --dbname=letterbox --file=postgresql-roles.sql
-- and give both a password: \password letterbox_owner, \password letterbox. Then, at each release:
--     LETTERBOX_DATABASE_URL=postgresql://letterbox_owner:...@host/letterbox letterbox migrate

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'letterbox_owner') THEN
    CREATE ROLE letterbox_owner LOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'letterbox') THEN
    CREATE ROLE letterbox LOGIN;
  END IF;
END $$;

-- For searching texts; only a superuser or an owner of the database may add it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- Until PostgreSQL 14 everybody may make tables there.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO letterbox_owner;
GRANT USAGE ON SCHEMA public TO letterbox;

-- For the tables of later migrations.
ALTER DEFAULT PRIVILEGES FOR ROLE letterbox_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO letterbox;
ALTER DEFAULT PRIVILEGES FOR ROLE letterbox_owner IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO letterbox;

-- For those that are there.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO letterbox;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO letterbox;
