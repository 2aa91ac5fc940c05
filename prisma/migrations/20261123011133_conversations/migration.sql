-- DropIndex
DROP INDEX "messages_by_conversation";

-- AlterTable
ALTER TABLE "conversations" ADD COLUMN     "lease_id" UUID,
ADD COLUMN     "lease_until" TIMESTAMPTZ(3);

-- AlterTable: messages that are there already keep the order they had.
ALTER TABLE "messages" ADD COLUMN     "position" INTEGER,
ADD COLUMN     "state" JSONB;
UPDATE "messages" SET "position" = numbered."position" FROM (
  SELECT "id", row_number() OVER (PARTITION BY "conversation_id" ORDER BY "id") AS "position" FROM "messages"
) AS numbered WHERE "messages"."id" = numbered."id";
ALTER TABLE "messages" ALTER COLUMN "position" SET NOT NULL;

-- CreateTable
CREATE TABLE "chat_usage" (
    "user_id" TEXT NOT NULL,
    "day" DATE NOT NULL,
    "tokens" INTEGER NOT NULL,

    CONSTRAINT "chat_usage_pkey" PRIMARY KEY ("user_id")
);

-- CreateIndex
CREATE UNIQUE INDEX "messages_by_position" ON "messages"("conversation_id", "position");

-- AddForeignKey
ALTER TABLE "chat_usage" ADD CONSTRAINT "chat_usage_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- The zone that a user's days are meant in is that of the latest todo that has one: found at once, however many have none.
CREATE INDEX "todos_zoned_by_created" ON "todos"("user_id", "created_at", "id") WHERE "time_zone" IS NOT NULL;
