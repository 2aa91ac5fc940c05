// Tickets for clients that can send nothing but a URL: each opens one socket within half a minute. Any replica redeems one of another.
// An access token is never part of a URL; a ticket that leaks through a log is already redeemed.
import { createHash, randomBytes } from 'node:crypto'
import { type Db, instant, sql } from '@todo/prisma'
import { z } from 'zod'
import type { Actor } from '../core/actor.ts'
import { AppError } from '../core/errors.ts'
import type { UserRate } from './user-rates.ts'

const LIFETIME_SECONDS = 30

export const Ticket = z
  .strictObject({
    ticket: z.string().describe('Opens one WebSocket: append `?ticket=<ticket>` to its URL'),
    expires_in: z.int().describe('Seconds'),
  })
  .meta({ id: 'McpTicket', example: { ticket: 'q1FZ0lSxU0Qd2m9nL3vQm8u2cF4tB6yH7kJ1aR5eW0c', expires_in: LIFETIME_SECONDS } })

/** An actor as stored in the table. */
const StoredActor = z.object({
  userId: z.string(),
  issuer: z.string().nullable(),
  email: z.string().nullable(),
  name: z.string().nullable(),
  expiresAt: z.coerce.date(),
  readOnly: z.boolean(),
})

const TicketRow = z.strictObject({ actor: z.unknown(), expires_at: z.date() })

export type Tickets = ReturnType<typeof createTickets>

/** `ticketRate` bounds the tickets of a user, and by their lifetime the rows of the table. */
export function createTickets({ db, clock, ticketRate }: { db: Db; clock: () => Date; ticketRate: UserRate }) {
  return {
    /** @throws AppError `throttled` */
    async issue(actor: Actor): Promise<z.output<typeof Ticket>> {
      await ticketRate(actor.userId)
      const ticket = randomBytes(32).toString('base64url')
      const now = clock()
      const expiresAt = new Date(now.getTime() + LIFETIME_SECONDS * 1000)
      await db.execute(sql`
        WITH expired AS (DELETE FROM mcp_tickets WHERE expires_at <= ${instant(now)})
        INSERT INTO mcp_tickets (digest, actor, expires_at) VALUES (${digest(ticket)}, ${JSON.stringify(actor)}::jsonb, ${instant(expiresAt)})`)
      return { ticket, expires_in: LIFETIME_SECONDS }
    },
    /** Redeems a ticket: a second call for the same ticket fails. @throws AppError `unauthenticated` */
    async redeem(ticket: string): Promise<Actor> {
      const now = clock()
      const rows = await db.query(sql`DELETE FROM mcp_tickets WHERE digest = ${digest(ticket)} RETURNING actor, expires_at`, TicketRow)
      const actor = rows[0] && rows[0].expires_at > now ? StoredActor.parse(rows[0].actor) : undefined
      if (!actor || actor.expiresAt <= now)
        throw new AppError('unauthenticated', 'The ticket is not valid: it opens one socket, within 30 seconds.')
      return actor
    },
  }
}

const digest = (ticket: string) => createHash('sha256').update(ticket).digest('base64url')
