// A conversation while it is being written: rows in PostgreSQL, so that any replica goes on with it. One request at a time holds it by a
// lease in its row. Not by an advisory lock: that lives in a database session, which would have to be kept for as long as a model thinks,
// and which a transaction pooler hands to somebody else. A lease survives poolers, a crash lets it run out, and every write checks it.
import { setTimeout as sleep } from 'node:timers/promises'
import { instant, Prisma } from '@todo/prisma'
import { v7 as uuidv7 } from 'uuid'
import { AppError } from '../../shared/errors.ts'
import { noConversation, type StoredCall, storedCalls } from '../../shared/operations/conversations.ts'
import type { UserContext } from '../../shared/operations/operation.ts'
import { holdingTo, within } from '../../shared/operations/quotas.ts'
import { withOwner } from '../../shared/operations/users.ts'
import { brief } from './brief.ts'
import { storable } from './storable.ts'

const { sql } = Prisma

export type PastMessage = { role: 'user' | 'assistant'; content: string; calls: StoredCall[]; state: unknown }
export type Entry = { content?: string; calls?: readonly StoredCall[]; state?: unknown }
export type Journal = Awaited<ReturnType<typeof openJournal>>

/** Milliseconds. A request that crashed blocks its conversation for one lease. */
const LEASE = 15_000
const RENEWAL = 5_000
/** How long a message waits for the one before it, and how often it looks. */
const PATIENCE = 30_000
const POLL = 100
const TITLE_LENGTH = 80

/**
 * Begins a conversation, or takes an existing one once nobody else writes to it. `close` gives it back.
 * @throws AppError `not_found` for one that is someone else's, `conflict` when it stays busy for half a minute
 */
export async function openJournal(ctx: UserContext, message: string, conversationId: string | undefined, signal: AbortSignal) {
  const lease = uuidv7()
  const id = conversationId ?? (await create(ctx, message, lease))
  if (conversationId !== undefined) await take(ctx, conversationId, lease, signal)
  const renewal = setInterval(() => {
    // One that fails is made good by the next, or noticed by the next write.
    ctx.db.$executeRaw`UPDATE conversations SET lease_until = ${leaseEnd} WHERE ${held(id, lease)}`.catch(() => {})
  }, RENEWAL)

  return {
    conversationId: id,
    /** Adds a message at the end; an assistant's may be filled in later. Returns its id. */
    async add(role: 'user' | 'assistant', { content = '', calls = [], state }: Entry): Promise<string> {
      const messageId = uuidv7()
      const now = instant(ctx.clock())
      const added = await ctx.db.$executeRaw`
        WITH owned AS (
          UPDATE conversations SET updated_at = GREATEST(${now}, updated_at), lease_until = ${leaseEnd}
          WHERE ${held(id, lease)} RETURNING id
        )
        INSERT INTO messages (id, conversation_id, position, role, content, tool_calls, state, created_at)
        SELECT ${messageId}::uuid, owned.id, COALESCE((SELECT max(position) FROM messages WHERE conversation_id = owned.id), 0) + 1,
          ${role}::message_role, ${storable(content)}, ${json(calls.map(shortened))}::jsonb, ${json(state)}::jsonb, ${now}
        FROM owned`
      if (added === 0) throw lost()
      return messageId
    },
    /** Fills in a message: what is left out stays as it is. */
    async fill(messageId: string, { content, calls, state }: Entry): Promise<void> {
      const filled = await ctx.db.$executeRaw`
        UPDATE messages SET content = COALESCE(${content === undefined ? null : storable(content)}, content),
          tool_calls = COALESCE(${json(calls?.map(shortened))}::jsonb, tool_calls), state = COALESCE(${json(state)}::jsonb, state)
        WHERE id = ${messageId}::uuid AND EXISTS (SELECT FROM conversations WHERE ${held(id, lease)})`
      if (filled === 0) throw lost()
    },
    /** The last messages, oldest first. */
    async recent(limit: number): Promise<PastMessage[]> {
      const rows = await ctx.db.$queryRaw<{ role: PastMessage['role']; content: string; tool_calls: Prisma.JsonValue; state: unknown }[]>`
        SELECT role::text, content, tool_calls, state FROM messages WHERE conversation_id = ${id}::uuid ORDER BY position DESC LIMIT ${limit}`
      return rows.reverse().map(({ tool_calls, ...message }) => ({ ...message, calls: storedCalls(tool_calls) }))
    },
    async close(): Promise<void> {
      clearInterval(renewal)
      await ctx.db.$executeRaw`UPDATE conversations SET lease_id = NULL, lease_until = NULL WHERE ${held(id, lease)}`
    },
  }
}

// The database's clock alone decides who holds a lease: replicas' clocks differ.
const leaseEnd = sql`clock_timestamp() + ${LEASE} * interval '1 millisecond'`
const held = (id: string, lease: string) => sql`id = ${id}::uuid AND lease_id = ${lease}::uuid`
const json = (value: unknown) => (value === undefined ? null : JSON.stringify(storable(value)))
const shortened = (call: StoredCall): StoredCall => ({ ...call, result: brief(call.result) })
const lost = () => new AppError('conflict', 'This conversation was taken over by another message, or deleted.')

async function create(ctx: UserContext, message: string, lease: string): Promise<string> {
  const id = uuidv7()
  const now = instant(ctx.clock())
  const title = [...(message.split('\n')[0] ?? '')].slice(0, TITLE_LENGTH).join('')
  const insert = () => ctx.db.$executeRaw`
    INSERT INTO conversations (id, user_id, title, created_at, updated_at, lease_id, lease_until)
    SELECT ${id}::uuid, ${ctx.actor.userId}, ${title}, ${now}, ${now}, ${lease}::uuid, ${leaseEnd}
    WHERE ${within(ctx, 'conversations')}`
  await withOwner(ctx, () => holdingTo(ctx, 'conversations', insert))
  return id
}

async function take(ctx: UserContext, id: string, lease: string, signal: AbortSignal): Promise<void> {
  const mine = sql`id = ${id}::uuid AND user_id = ${ctx.actor.userId}`
  for (let waited = 0; waited < PATIENCE; waited += POLL) {
    const taken = await ctx.db.$executeRaw`
      UPDATE conversations SET lease_id = ${lease}::uuid, lease_until = ${leaseEnd}
      WHERE ${mine} AND (lease_until IS NULL OR lease_until < clock_timestamp())`
    if (taken > 0) return
    const [exists] = await ctx.db.$queryRaw<unknown[]>`SELECT 1 AS found FROM conversations WHERE ${mine}`
    if (!exists) throw noConversation()
    await sleep(POLL, undefined, { signal }).catch(() => {
      throw busy()
    })
  }
  throw busy()
}

const busy = () => new AppError('conflict', 'This conversation is still busy with an earlier message. Please try again.', { retryAfter: 5 })
