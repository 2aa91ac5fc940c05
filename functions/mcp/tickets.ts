// Tickets for clients that can send nothing but a URL: good for one socket within half a minute, in PostgreSQL so that any replica
// honours what another gave out. An access token never stands in a URL; a ticket that leaks from a log is spent already.
import { createHash, randomBytes } from 'node:crypto'
import { type Db, instant } from '@todo/prisma'
import { z } from 'zod'
import type { UserRate } from '../../shared/accounts/user-rates.ts'
import { AppError } from '../../shared/core/errors.ts'
import type { Actor } from '../../shared/core/operation.ts'

/** Seconds. */
const LIFETIME = 30

export const Ticket = z
  .strictObject({
    ticket: z.string().describe('Opens one WebSocket: append `?ticket=<ticket>` to its URL'),
    expires_in: z.int().describe('Seconds'),
  })
  .meta({ id: 'McpTicket', example: { ticket: 'q1FZ0lSxU0Qd2m9nL3vQm8u2cF4tB6yH7kJ1aR5eW0c', expires_in: LIFETIME } })

/** An actor as the table keeps it. */
const StoredActor = z.object({
  userId: z.string(),
  issuer: z.string().nullable(),
  email: z.string().nullable(),
  name: z.string().nullable(),
  expiresAt: z.coerce.date(),
  readOnly: z.boolean(),
})

export type Tickets = ReturnType<typeof createTickets>

/** `ticketRate` bounds the tickets that a user can get, and so, by their lifetime, those that wait to be used. */
export function createTickets({ db, clock, ticketRate }: { db: Db; clock: () => Date; ticketRate: UserRate }) {
  return {
    /** @throws AppError `throttled` */
    async issue(actor: Actor): Promise<z.output<typeof Ticket>> {
      await ticketRate(actor.userId)
      const ticket = randomBytes(32).toString('base64url')
      const now = clock()
      const expiresAt = new Date(now.getTime() + LIFETIME * 1000)
      // Whoever issues one sweeps away those that nobody came with.
      await db.$executeRaw`
        WITH swept AS (DELETE FROM mcp_tickets WHERE expires_at <= ${instant(now)})
        INSERT INTO mcp_tickets (digest, actor, expires_at) VALUES (${digest(ticket)}, ${JSON.stringify(actor)}::jsonb, ${instant(expiresAt)})`
      return { ticket, expires_in: LIFETIME }
    },
    /** Whom the ticket stands for; it is spent by asking. @throws AppError `unauthenticated` */
    async redeem(ticket: string): Promise<Actor> {
      const now = clock()
      const rows = await db.$queryRaw<{ actor: unknown; expires_at: Date }[]>`
        DELETE FROM mcp_tickets WHERE digest = ${digest(ticket)} RETURNING actor, expires_at`
      const actor = rows[0] && rows[0].expires_at > now ? StoredActor.parse(rows[0].actor) : undefined
      if (!actor || actor.expiresAt <= now)
        throw new AppError('unauthenticated', 'The ticket is not valid: it is good once, for 30 seconds.')
      return actor
    },
  }
}

const digest = (ticket: string) => createHash('sha256').update(ticket).digest('base64url')
