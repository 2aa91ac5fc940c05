// A conversation while a request writes to it: rows in PostgreSQL, so that any replica continues it.
import { empty, instant, type Sql, sql } from '@todo/prisma'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import type { UserContext } from '../core/context.ts'
import { AppError } from '../core/errors.ts'
import { brief } from './brief.ts'
import { type StoredCall, storedCalls } from './conversations.ts'
import { type Lease, leaseEnd } from './lease.ts'
import { storable } from './storable.ts'

export type PastMessage = { role: 'user' | 'assistant'; content: string; calls: StoredCall[]; state: unknown }
export type Entry = { content?: string; calls?: readonly StoredCall[]; state?: unknown }
export type Journal = ReturnType<typeof createJournal>

/** Writes to the conversation of a lease. Every write throws AppError `conflict` once the lease is lost. */
export function createJournal(ctx: UserContext, { conversationId, held, ended, release }: Lease) {
  const { db, clock } = ctx
  let over = false

  return {
    conversationId,
    /** Adds a message at the end; an assistant's may be filled in later. Returns its id. */
    async add(role: 'user' | 'assistant', entry: Entry): Promise<string> {
      if (over) throw lost()
      const id = uuidv7()
      const now = clock()
      const added = await db.execute(sql`
        WITH owned AS (
          UPDATE conversations SET updated_at = GREATEST(${instant(now)}, updated_at), lease_until = ${leaseEnd} WHERE ${held} RETURNING id
        )
        ${insertMessage({ id, role, now, ...entry })}`)
      if (added === 0) throw lost()
      return id
    },
    /** Fills in a message: what is left out stays as it is. */
    async fill(messageId: string, { content, calls, state }: Entry): Promise<void> {
      if (over) throw lost()
      const filled = await db.execute(sql`
        UPDATE messages SET content = COALESCE(${content === undefined ? null : storable(content)}, content),
          tool_calls = COALESCE(${json(calls?.map(shortened))}::jsonb, tool_calls), state = COALESCE(${json(state)}::jsonb, state)
        WHERE id = ${messageId}::uuid AND EXISTS (SELECT FROM conversations WHERE ${held})`)
      if (filled === 0) throw lost()
    },
    /**
     * Adds the answer's last message and releases the lease, in one statement with `more`: a part of it that may use the row of the
     * conversation, `owned`. Nothing can be written afterwards.
     */
    async end(entry: Entry, more: Sql = empty): Promise<void> {
      over = true
      const now = clock()
      const added = await db.execute(sql`
        WITH owned AS (
          UPDATE conversations SET updated_at = GREATEST(${instant(now)}, updated_at), lease_id = NULL, lease_until = NULL
          WHERE ${held} RETURNING id
        ),
        added AS (${insertMessage({ id: uuidv7(), role: 'assistant', now, ...entry })} RETURNING id)
        ${more}
        SELECT FROM added`)
      ended()
      if (added === 0) throw lost()
    },
    /** Gives the conversation back, if `end` has not. Never throws. */
    async close(): Promise<void> {
      over = true
      await release()
    },
  }
}

const PastMessageRow = z.strictObject({
  role: z.enum(['user', 'assistant']),
  content: z.string(),
  tool_calls: z.unknown(),
  state: z.unknown(),
})

/** The last messages of a conversation, oldest first. */
export async function recentMessages({ db }: UserContext, conversationId: string, limit: number): Promise<PastMessage[]> {
  const rows = await db.query(
    sql`
      SELECT role::text, content, tool_calls, state FROM messages
      WHERE conversation_id = ${conversationId}::uuid ORDER BY position DESC LIMIT ${limit}`,
    PastMessageRow,
  )
  return rows.reverse().map(({ tool_calls, ...message }) => ({ ...message, calls: storedCalls(tool_calls) }))
}

type NewMessage = Entry & { id: string; role: 'user' | 'assistant'; now: Date }

/** Part of a statement: adds a message at the end of the conversation in `owned` (its `id`), if there is one. */
export function insertMessage({ id, role, now, content = '', calls = [], state }: NewMessage): Sql {
  return sql`
    INSERT INTO messages (id, conversation_id, position, role, content, tool_calls, state, created_at)
    SELECT ${id}::uuid, owned.id, COALESCE((SELECT max(position) FROM messages WHERE conversation_id = owned.id), 0) + 1,
      ${role}::message_role, ${storable(content)}, ${json(calls.map(shortened))}::jsonb, ${json(state)}::jsonb, ${instant(now)}
    FROM owned`
}

/** Parameter for a `jsonb` column. */
export const json = (value: unknown) => (value === undefined ? null : JSON.stringify(storable(value)))
export const shortened = (call: StoredCall): StoredCall => ({ ...call, result: brief(call.result) })
const lost = () => new AppError('conflict', 'This conversation was taken over by another message, or deleted.')
