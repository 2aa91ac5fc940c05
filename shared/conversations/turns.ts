// The statements of a chat turn: where a message goes, and that a message with a client's id is answered once.
// A unique key in `chat_turns` decides between two requests with the same id.
import { empty, instant, type Sql, sql } from '@todo/prisma'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { holdingTo, within } from '../accounts/quotas.ts'
import { withOwner } from '../accounts/users.ts'
import type { UserContext } from '../core/context.ts'
import { type StoredCall, storedCalls } from './conversations.ts'
import { insertMessage, json } from './journal.ts'
import { holds, type Lease, leaseEnd } from './lease.ts'

/** Milliseconds without a message after which a message without a conversation id begins another conversation. */
const IMPLICIT_MS = 30 * 60_000
const TITLE_LENGTH = 80

/** A user's message, and the client's id of it. */
export type Question = { message: string; messageId: string | undefined }
export type TurnIds = { lease: string; question: string }

const EarlierTurn = z.strictObject({
  question_id: z.uuid(),
  conversation_id: z.uuid(),
  content: z.string(),
  position: z.int(),
  /** Null until the message is answered. */
  reply: z.unknown(),
})
export type EarlierTurn = z.output<typeof EarlierTurn>
const ConversationRow = z.strictObject({ conversation_id: z.uuid() })
const CallsRow = z.strictObject({ tool_calls: z.unknown() })

/** The user's turn of an earlier request with this message id. */
export async function findTurn({ db, actor }: UserContext, messageId: string): Promise<EarlierTurn | undefined> {
  const [row] = await db.query(
    sql`
      SELECT question_id, conversation_id, content, position, reply FROM chat_turns JOIN messages ON messages.id = question_id
      WHERE user_id = ${actor.userId} AND message_id = ${messageId}`,
    EarlierTurn,
  )
  return row
}

/** The calls in the messages of a turn: those between its question and the next one. */
export async function callsOf({ db }: UserContext, turn: EarlierTurn): Promise<StoredCall[]> {
  const rows = await db.query(
    sql`
      SELECT tool_calls FROM messages WHERE conversation_id = ${turn.conversation_id}::uuid AND position > ${turn.position}
        AND position < COALESCE((
          SELECT min(position) FROM messages
          WHERE conversation_id = ${turn.conversation_id}::uuid AND position > ${turn.position} AND role = 'user'
        ), 2147483647)
      ORDER BY position`,
    CallsRow,
  )
  return rows.flatMap(({ tool_calls }) => storedCalls(tool_calls))
}

/** Stores the reply of a turn, or withdraws the turn so that a retry runs. No-op once the lease is lost. */
export async function concludeTurn({ db }: UserContext, questionId: string, { held }: Lease, reply: object | undefined): Promise<void> {
  const turn = sql`question_id = ${questionId}::uuid AND EXISTS (SELECT FROM conversations WHERE ${held})`
  await db.execute(
    reply ? sql`UPDATE chat_turns SET reply = ${json(reply)}::jsonb WHERE ${turn}` : sql`DELETE FROM chat_turns WHERE ${turn}`,
  )
}

/** The same as part of a statement, beside `owned`. */
export function concluding(questionId: string, reply: object | undefined): Sql {
  const turn = sql`question_id = ${questionId}::uuid`
  return reply
    ? sql`, turn AS (UPDATE chat_turns SET reply = ${json(reply)}::jsonb FROM owned WHERE ${turn})`
    : sql`, turn AS (DELETE FROM chat_turns USING owned WHERE ${turn})`
}

/** Selects the conversation of an earlier turn, which is the user's. */
export const conversationOf = (turn: EarlierTurn): Sql => sql`SELECT id FROM conversations WHERE id = ${turn.conversation_id}::uuid`

/** Selects a conversation of the user. */
export const ownConversation = ({ actor }: UserContext, id: string): Sql =>
  sql`SELECT id FROM conversations WHERE id = ${id}::uuid AND user_id = ${actor.userId}`

/** Selects the user's current conversation of messages without a conversation id. */
export const implicitConversation = (ctx: UserContext): Sql =>
  sql`SELECT id FROM conversations WHERE user_id = ${ctx.actor.userId} AND implicit AND updated_at > ${implicitSince(ctx)}`

const implicitSince = ({ clock }: UserContext) => instant(new Date(clock().getTime() - IMPLICIT_MS))

/** Adds the user's message to a conversation that the lease holds. Returns false when it is lost, or the conversation deleted. */
export async function addQuestion(ctx: UserContext, conversationId: string, question: Question, ids: TurnIds): Promise<boolean> {
  const owned = sql`
    UPDATE conversations SET updated_at = GREATEST(${instant(ctx.clock())}, updated_at), lease_until = ${leaseEnd}
    WHERE ${holds(conversationId, ids.lease)} RETURNING id`
  return (await insertQuestion(ctx, question, ids, owned)) !== undefined
}

/**
 * Begins a conversation with the user's message and takes its lease.
 * @returns its id; undefined when `implicit` and the user has a current implicit conversation
 * @throws AppError `throttled` when the user has too many conversations
 */
export async function beginConversation(
  ctx: UserContext,
  question: Question,
  ids: TurnIds,
  { implicit }: { implicit: boolean },
): Promise<string | undefined> {
  if (implicit) {
    await ctx.db.execute(sql`
      UPDATE conversations SET implicit = false WHERE user_id = ${ctx.actor.userId} AND implicit AND updated_at <= ${implicitSince(ctx)}`)
  }
  const owned = insertConversation(ctx, question, ids, implicit)
  return withOwner(ctx, () => holdingTo(ctx, 'conversations', () => insertQuestion(ctx, question, ids, owned)))
}

function insertConversation(ctx: UserContext, { message }: Question, ids: TurnIds, implicit: boolean): Sql {
  const { actor, clock } = ctx
  const now = instant(clock())
  const title = [...(message.split('\n')[0] ?? '')].slice(0, TITLE_LENGTH).join('')
  return sql`
    INSERT INTO conversations (id, user_id, title, created_at, updated_at, lease_id, lease_until, implicit)
    SELECT ${uuidv7()}::uuid, ${actor.userId}, ${title}, ${now}, ${now}, ${ids.lease}::uuid, ${leaseEnd}, ${implicit}::boolean
    WHERE ${within(ctx, 'conversations')}
    ON CONFLICT (user_id) WHERE implicit DO NOTHING RETURNING id`
}

/** Adds the user's message to the conversation that `owned` writes and returns, and its client's id. Returns the conversation's id. */
async function insertQuestion({ db, actor, clock }: UserContext, { message, messageId }: Question, ids: TurnIds, owned: Sql) {
  const turn = sql`, turn AS (
    INSERT INTO chat_turns (user_id, message_id, question_id) SELECT ${actor.userId}, ${messageId ?? ''}, asked.id FROM asked
  )`
  const [row] = await db.query(
    sql`
      WITH owned AS (${owned}),
      asked AS (${insertMessage({ id: ids.question, role: 'user', now: clock(), content: message })} RETURNING id, conversation_id)
      ${messageId === undefined ? empty : turn}
      SELECT conversation_id FROM asked`,
    ConversationRow,
  )
  return row?.conversation_id
}
