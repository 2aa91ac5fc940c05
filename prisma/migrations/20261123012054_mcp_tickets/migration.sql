-- CreateTable
CREATE TABLE "mcp_tickets" (
    "digest" TEXT NOT NULL,
    "actor" JSONB NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "mcp_tickets_pkey" PRIMARY KEY ("digest")
);

-- CreateIndex
CREATE INDEX "mcp_tickets_by_expiry" ON "mcp_tickets"("expires_at");
