-- AlterTable
ALTER TABLE "conversations" ADD COLUMN     "implicit" BOOLEAN NOT NULL DEFAULT false;

-- CreateTable
CREATE TABLE "chat_turns" (
    "user_id" TEXT NOT NULL,
    "message_id" TEXT NOT NULL,
    "question_id" UUID NOT NULL,
    "reply" JSONB,

    CONSTRAINT "chat_turns_pkey" PRIMARY KEY ("user_id","message_id")
);

-- CreateIndex
CREATE UNIQUE INDEX "chat_turns_question_id_key" ON "chat_turns"("question_id");

-- AddForeignKey
ALTER TABLE "chat_turns" ADD CONSTRAINT "chat_turns_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "chat_turns" ADD CONSTRAINT "chat_turns_question_id_fkey" FOREIGN KEY ("question_id") REFERENCES "messages"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- At most one a user: two messages without a conversation id that arrive at once meet in it.
CREATE UNIQUE INDEX "conversations_implicit" ON "conversations"("user_id") WHERE "implicit";
