-- DropIndex
DROP INDEX "outbox_events_by_subject";

-- DropIndex
DROP INDEX "outbox_events_due";

-- AlterTable
ALTER TABLE "outbox_events" ADD COLUMN     "sequence" BIGSERIAL NOT NULL;

-- From here on: what schema.prisma cannot say.

-- A claim takes what is due, the longest due first, and asks of each whether something older of its subject is still there.
CREATE INDEX "outbox_events_due" ON "outbox_events"("next_attempt_at") WHERE "dead_at" IS NULL;
CREATE INDEX "outbox_events_by_subject" ON "outbox_events"("subject", "sequence") WHERE "dead_at" IS NULL;

-- What is given up is few, and found by its age.
CREATE INDEX "outbox_events_dead" ON "outbox_events"("dead_at") WHERE "dead_at" IS NOT NULL;
