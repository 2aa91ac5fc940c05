-- CreateTable
CREATE TABLE "user_counters" (
    "user_id" TEXT NOT NULL,
    "open_todos" INTEGER NOT NULL DEFAULT 0,
    "conversations" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "user_counters_pkey" PRIMARY KEY ("user_id")
);

-- AddForeignKey
ALTER TABLE "user_counters" ADD CONSTRAINT "user_counters_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- From here on: what schema.prisma cannot say.

-- A row changes with each todo: with room on its page the new version needs no entry in the index (HOT).
ALTER TABLE "user_counters" SET (fillfactor = 50);

-- Triggers count, not the operations: the release before this one counts too, and no statement can forget to.
-- They run after the rows were written, so every statement locks todos first and the counter last.
-- A statement that has a limit passes it as a setting of its transaction (shared/accounts/quotas.ts). Without one they only count.

CREATE FUNCTION "assert_user_quota"("quota" TEXT, "used" INTEGER) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- A setting that was local to an earlier transaction of the session reads as an empty text.
  IF used > NULLIF(current_setting('todo.' || quota, true), '')::int THEN
    RAISE EXCEPTION 'violates constraint "user_counters_%"', quota
      USING ERRCODE = 'check_violation', CONSTRAINT = 'user_counters_' || quota;
  END IF;
END $$;

CREATE FUNCTION "add_open_todos"("owner" TEXT, "added" INTEGER) RETURNS void LANGUAGE plpgsql AS $$
DECLARE used int;
BEGIN
  INSERT INTO user_counters AS counter (user_id, open_todos) VALUES (owner, added)
    ON CONFLICT (user_id) DO UPDATE SET open_todos = counter.open_todos + added
    RETURNING open_todos INTO used;
  PERFORM assert_user_quota('open_todos', used);
END $$;

CREATE FUNCTION "count_added_todos"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM add_open_todos(user_id, count(*)::int) FROM changed WHERE completed_at IS NULL GROUP BY user_id ORDER BY user_id;
  RETURN NULL;
END $$;

-- An account that is deleted takes its todos along, when its counter may be gone already: so nothing is inserted here.
CREATE FUNCTION "count_removed_todos"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE user_counters AS counter SET open_todos = open_todos - removed.count
    FROM (SELECT user_id, count(*) FROM changed WHERE completed_at IS NULL GROUP BY user_id) AS removed
    WHERE counter.user_id = removed.user_id;
  RETURN NULL;
END $$;

CREATE FUNCTION "count_completed_todo"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE user_counters SET open_todos = open_todos - 1 WHERE user_id = NEW.user_id;
  RETURN NULL;
END $$;

CREATE FUNCTION "count_reopened_todo"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM add_open_todos(NEW.user_id, 1);
  RETURN NULL;
END $$;

CREATE FUNCTION "count_added_conversations"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE owner text; added int; used int;
BEGIN
  FOR owner, added IN SELECT user_id, count(*) FROM changed GROUP BY user_id ORDER BY user_id LOOP
    INSERT INTO user_counters AS counter (user_id, conversations) VALUES (owner, added)
      ON CONFLICT (user_id) DO UPDATE SET conversations = counter.conversations + added
      RETURNING conversations INTO used;
    PERFORM assert_user_quota('conversations', used);
  END LOOP;
  RETURN NULL;
END $$;

CREATE FUNCTION "count_removed_conversations"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE user_counters AS counter SET conversations = conversations - removed.count
    FROM (SELECT user_id, count(*) FROM changed GROUP BY user_id) AS removed
    WHERE counter.user_id = removed.user_id;
  RETURN NULL;
END $$;

-- Statement by statement where many rows may come or go at once: a row that is updated ten thousand times in one transaction gets slow.
CREATE TRIGGER "count_added" AFTER INSERT ON "todos" REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION "count_added_todos"();
CREATE TRIGGER "count_removed" AFTER DELETE ON "todos" REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION "count_removed_todos"();
CREATE TRIGGER "count_completed" AFTER UPDATE ON "todos" FOR EACH ROW
  WHEN (OLD."completed_at" IS NULL AND NEW."completed_at" IS NOT NULL) EXECUTE FUNCTION "count_completed_todo"();
CREATE TRIGGER "count_reopened" AFTER UPDATE ON "todos" FOR EACH ROW
  WHEN (OLD."completed_at" IS NOT NULL AND NEW."completed_at" IS NULL) EXECUTE FUNCTION "count_reopened_todo"();
CREATE TRIGGER "count_added" AFTER INSERT ON "conversations" REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION "count_added_conversations"();
CREATE TRIGGER "count_removed" AFTER DELETE ON "conversations" REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION "count_removed_conversations"();

-- The rows that are there already. Making the triggers has locked both tables against writes until this migration ends.
INSERT INTO "user_counters" ("user_id", "open_todos", "conversations")
SELECT "id",
  (SELECT count(*) FROM "todos" WHERE "user_id" = "users"."id" AND "completed_at" IS NULL),
  (SELECT count(*) FROM "conversations" WHERE "user_id" = "users"."id")
FROM "users";
