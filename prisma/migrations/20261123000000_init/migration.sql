-- Substring search and the tag filter need indexes that hold the owner and the words together.
-- Both extensions are trusted: the database's owner may create them.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;

-- CreateEnum
CREATE TYPE "message_role" AS ENUM ('user', 'assistant', 'tool');

-- CreateTable
CREATE TABLE "users" (
    "id" TEXT NOT NULL,
    "issuer" TEXT,
    "email" TEXT,
    "username" TEXT,
    "username_key" TEXT,
    "password_hash" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "users_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "todos" (
    "id" UUID NOT NULL,
    "user_id" TEXT NOT NULL,
    "title" TEXT NOT NULL,
    "description" TEXT,
    "completed_at" TIMESTAMPTZ(3),
    "priority" SMALLINT NOT NULL DEFAULT 0,
    "tags" TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[],
    "due_date" DATE,
    "due_time" TIME(0),
    "time_zone" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "todos_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "conversations" (
    "id" UUID NOT NULL,
    "user_id" TEXT NOT NULL,
    "title" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "conversations_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "messages" (
    "id" UUID NOT NULL,
    "conversation_id" UUID NOT NULL,
    "role" "message_role" NOT NULL,
    "content" TEXT NOT NULL,
    "tool_calls" JSONB,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "messages_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "outbox_events" (
    "id" UUID NOT NULL,
    "user_id" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "data" JSONB NOT NULL,
    "traceparent" TEXT,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "next_attempt_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_error" TEXT,
    "dead_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "outbox_events_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "throttle" (
    "key" TEXT NOT NULL,
    "points" INTEGER NOT NULL,
    "expire" BIGINT NOT NULL,

    CONSTRAINT "throttle_pkey" PRIMARY KEY ("key")
);

-- CreateIndex
CREATE UNIQUE INDEX "users_email_key" ON "users"("email");

-- CreateIndex
CREATE UNIQUE INDEX "users_username_key_key" ON "users"("username_key");

-- CreateIndex
CREATE INDEX "todos_by_created" ON "todos"("user_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "todos_by_updated" ON "todos"("user_id", "updated_at", "id");

-- CreateIndex
CREATE INDEX "todos_by_priority" ON "todos"("user_id", "priority", "id");

-- CreateIndex
CREATE INDEX "conversations_by_updated" ON "conversations"("user_id", "updated_at", "id");

-- CreateIndex
CREATE INDEX "messages_by_conversation" ON "messages"("conversation_id", "id");

-- CreateIndex
CREATE INDEX "outbox_events_due" ON "outbox_events"("dead_at", "next_attempt_at");

-- CreateIndex
CREATE INDEX "outbox_events_by_subject" ON "outbox_events"("subject", "id");

-- CreateIndex
CREATE INDEX "throttle_by_expiry" ON "throttle"("expire");

-- AddForeignKey
ALTER TABLE "todos" ADD CONSTRAINT "todos_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "conversations" ADD CONSTRAINT "conversations_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "messages" ADD CONSTRAINT "messages_conversation_id_fkey" FOREIGN KEY ("conversation_id") REFERENCES "conversations"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- From here on: what schema.prisma cannot say.

-- A time of day means nothing without its day. The name is what the operations recognise a refusal by.
ALTER TABLE "todos" ADD CONSTRAINT "todos_due_time_needs_date" CHECK ("due_time" IS NULL OR "due_date" IS NOT NULL);
ALTER TABLE "todos" ADD CONSTRAINT "todos_priority_range" CHECK ("priority" BETWEEN 0 AND 3);

-- An account of our own has all of its credentials, a foreign user none.
ALTER TABLE "users" ADD CONSTRAINT "users_local_or_foreign" CHECK (
  ("issuer" IS NULL AND "email" IS NOT NULL AND "username_key" IS NOT NULL AND "password_hash" IS NOT NULL)
  OR ("issuer" IS NOT NULL AND "email" IS NULL AND "username_key" IS NULL AND "password_hash" IS NULL)
);

-- Titles in the order of the Unicode Collation Algorithm: "äpfel", "apple", "Apple", "banana".
CREATE INDEX "todos_by_title" ON "todos"("user_id", "title" COLLATE "und-x-icu", "id");

-- By due moment: a day without a time ends with the day, no day at all comes last.
CREATE INDEX "todos_by_due" ON "todos"("user_id", (COALESCE("due_date" + COALESCE("due_time", TIME '24:00'), TIMESTAMP 'infinity')), "id");

-- The everyday lists show what is open, however much has been completed over the years.
CREATE INDEX "todos_open_by_created" ON "todos"("user_id", "created_at", "id") WHERE "completed_at" IS NULL;
CREATE INDEX "todos_open_by_due" ON "todos"("user_id", (COALESCE("due_date" + COALESCE("due_time", TIME '24:00'), TIMESTAMP 'infinity')), "id") WHERE "completed_at" IS NULL;

-- What `q` and `tag` look up: in one index, because a GIN index's columns are searched independently anyway.
-- ICU's case rules, so that no server's locale decides what `q=ÄRGER` finds.
CREATE INDEX "todos_search" ON "todos" USING GIN (
  "user_id", (upper(("title" || E'\n' || COALESCE("description", '')) COLLATE "und-x-icu")) gin_trgm_ops, "tags"
);
