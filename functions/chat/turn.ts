// Opens and ends a turn. A lease makes a conversation take one message at a time. A message with a client's id is answered once: retries
// wait for the lease, and a unique key in `chat_turns` decides between two concurrent requests.
import { setTimeout as sleep } from 'node:timers/promises'
import { instant, Prisma } from '@todo/prisma'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { holdingTo, within } from '../../shared/accounts/quotas.ts'
import { withOwner } from '../../shared/accounts/users.ts'
import { noConversation, StoredCall, storedCalls } from '../../shared/conversations/conversations.ts'
import {
  createJournal,
  type Entry,
  insertMessage,
  type Journal,
  json,
  type PastMessage,
  recentMessages,
  shortened,
} from '../../shared/conversations/journal.ts'
import { holds, keepLease, type Lease, leaseEnd, leaseLimits, releaseLease, tryTake } from '../../shared/conversations/lease.ts'
import { storable } from '../../shared/conversations/storable.ts'
import { AppError } from '../../shared/core/errors.ts'
import { constraintOf } from '../../shared/core/failure.ts'
import type { UserContext } from '../../shared/core/operation.ts'
import type { Log } from '../../shared/runtime/log.ts'
import { Engine } from './contract.ts'
import { type Deadline, outOfTime, until } from './deadline.ts'
import type { ChatLimits } from './limits.ts'
import { UNKNOWN_OUTCOME } from './outcome.ts'
import { mayHaveChanged, summarizeCalls } from './summary.ts'

const { sql, empty } = Prisma

const turnLimits = {
  /** After this time without a message, one without a conversation id begins a new conversation. */
  implicitMs: 30 * 60_000,
  titleChars: 80,
}

/** The conversation of a message. `implicit`: the user's latest one that began without an id, or a new one. */
export type Place = { type: 'given'; id: string } | { type: 'new' } | { type: 'implicit' }
export type Question = {
  message: string
  place: Place
  /** The client's id of the message. */
  messageId: string | undefined
}

/** An answer as it is stored for a retry. */
export type Reply = z.output<typeof Reply>
const Reply = z.object({
  response: z.string(),
  engine: Engine,
  calls: z.array(StoredCall),
  /** The reason for an incomplete answer. */
  failure: z.string().nullable(),
})

export type OpenTurn = {
  type: 'open'
  conversationId: string
  journal: Journal
  /** The messages before this one, oldest first. */
  past: readonly PastMessage[]
  /**
   * Stores the final message and releases the conversation. Without `reply` the message counts as unanswered: a retry runs.
   * @throws AppError `conflict` when the lease is lost
   */
  end(entry: Entry, reply: Reply | undefined): Promise<void>
}
export type Turn = OpenTurn | { type: 'answered'; conversationId: string; reply: Reply }

type Deps = { log: Log; limits: ChatLimits }
type Opening = { deps: Deps; ctx: UserContext; question: Question; deadline: Deadline }

/**
 * Opens a turn once no other request holds its conversation, or returns the stored answer of the same message.
 * @throws AppError `not_found` for another user's conversation; `conflict` for a busy one, or for the message id of another message;
 * `unavailable` when the deadline passes
 */
export async function openTurn(deps: Deps, ctx: UserContext, question: Question, deadline: Deadline): Promise<Turn> {
  const opening = open({ deps, ctx, question, deadline })
  try {
    return await until(deadline.giveUp, opening)
  } catch (error) {
    if (!deadline.giveUp.aborted) throw error
    // The request has ended: close a turn that opens too late.
    opening.then((turn) => (turn.type === 'open' ? turn.journal.close() : undefined)).catch(() => {})
    throw outOfTime(deadline.giveUp)
  }
}

async function open(opening: Opening): Promise<Turn> {
  const { ctx, question, deadline } = opening
  for (;;) {
    const earlier = await findTurn(ctx, question.messageId)
    if (earlier) {
      refuseAnother(earlier, question)
      const reply = earlier.reply ?? (await settle(opening, earlier))
      if (reply) return { type: 'answered', conversationId: earlier.conversation_id, reply }
    }
    try {
      return await begin(opening)
    } catch (error) {
      // A concurrent request with the same message was first.
      if (constraintOf(error) !== 'chat_turns_pkey') throw error
      await pause(deadline)
    }
  }
}

type EarlierTurn = { question_id: string; conversation_id: string; content: string; position: number; reply: Reply | undefined }

async function findTurn({ db, actor }: UserContext, messageId: string | undefined): Promise<EarlierTurn | undefined> {
  if (messageId === undefined) return undefined
  const [row] = await db.$queryRaw<(Omit<EarlierTurn, 'reply'> & { reply: unknown })[]>`
    SELECT question_id, conversation_id, content, position, reply FROM chat_turns JOIN messages ON messages.id = question_id
    WHERE user_id = ${actor.userId} AND message_id = ${messageId}`
  if (!row) return undefined
  const reply = row.reply === null ? undefined : Reply.safeParse(row.reply).data
  if (row.reply !== null && !reply) throw new AppError('conflict', 'This message was answered already: its conversation has the answer.')
  return { ...row, reply }
}

function refuseAnother({ content, conversation_id }: EarlierTurn, { message, place }: Question): void {
  if (content !== storable(message)) throw new AppError('conflict', 'This message_id was used for another message.')
  if (place.type === 'given' && place.id !== conversation_id)
    throw new AppError('conflict', 'This message_id was used in another conversation.')
}

/** Waits for an earlier request with the same message. Returns its answer; undefined when it changed nothing, so the message may run. */
async function settle({ deps, ctx, question, deadline }: Opening, earlier: EarlierTurn): Promise<Reply | undefined> {
  const leaseId = uuidv7()
  for (;;) {
    const row = await tryTake(ctx, sql`SELECT id FROM conversations WHERE id = ${earlier.conversation_id}::uuid`, leaseId)
    if (row?.taken) break
    const turn = await findTurn(ctx, question.messageId)
    if (!turn || turn.reply) return turn?.reply
    await pause(deadline)
  }
  const lease = keepLease(ctx, deps.log, earlier.conversation_id, leaseId)
  try {
    // Holding the lease fences the earlier request off: it can write no more.
    const turn = await findTurn(ctx, question.messageId)
    return turn && !turn.reply ? await concludeTurn(ctx, turn, lease) : turn?.reply
  } finally {
    await lease.release()
  }
}

/** Answers for a request that crashed or could not store its answer, from its rows. */
async function concludeTurn({ db }: UserContext, turn: EarlierTurn, { held }: Lease): Promise<Reply | undefined> {
  const rows = await db.$queryRaw<{ tool_calls: Prisma.JsonValue }[]>`
    SELECT tool_calls FROM messages WHERE conversation_id = ${turn.conversation_id}::uuid AND position > ${turn.position}
      AND position < COALESCE((
        SELECT min(position) FROM messages WHERE conversation_id = ${turn.conversation_id}::uuid AND position > ${turn.position} AND role = 'user'
      ), 2147483647)
    ORDER BY position`
  const calls = interrupted(rows.flatMap(({ tool_calls }) => storedCalls(tool_calls)))
  const own = sql`question_id = ${turn.question_id}::uuid AND EXISTS (SELECT FROM conversations WHERE ${held})`
  if (!mayHaveChanged(calls)) {
    await db.$executeRaw`DELETE FROM chat_turns WHERE ${own}`
    return undefined
  }
  const response = `I was interrupted before I had answered this message. ${summarizeCalls(calls)}`
  const reply: Reply = { response, engine: 'rules', calls, failure: null }
  await db.$executeRaw`UPDATE chat_turns SET reply = ${json(reply)}::jsonb WHERE ${own}`
  return reply
}

/** Calls run one at a time and each result is stored before the next call: of the calls without a result only the first can have run. */
function interrupted(calls: readonly StoredCall[]): StoredCall[] {
  const first = calls.findIndex(({ settled }) => !settled)
  return calls.map((call, index) => {
    if (call.settled) return call
    const result = index === first ? UNKNOWN_OUTCOME : { error: 'This was not run: I was interrupted before.' }
    return { ...call, result, is_error: true, settled: true }
  })
}

async function begin(opening: Opening): Promise<OpenTurn> {
  const { deps, ctx, question } = opening
  const ids: Ids = { lease: uuidv7(), question: uuidv7() }
  const { conversationId, past } = await enter(opening, ids).catch(async (error) => {
    // Release a lease that this request may hold, or the next message would wait for it to expire.
    if (!(error instanceof AppError)) await releaseLease(ctx, deps.log, ids.lease)
    throw error
  })
  const journal = createJournal(ctx, keepLease(ctx, deps.log, conversationId, ids.lease))
  return {
    type: 'open',
    conversationId,
    journal,
    past,
    end: (entry, reply) => journal.end(entry, question.messageId === undefined ? empty : concluding(ids.question, reply, deps.limits)),
  }
}

type Ids = { lease: string; question: string }
type Entered = Pick<OpenTurn, 'conversationId' | 'past'>

/** Takes the lease of the conversation or creates it, and adds the user's message. */
async function enter(opening: Opening, ids: Ids): Promise<Entered> {
  const { ctx, question, deadline } = opening
  const { place } = question
  if (place.type === 'new') return enterNew(opening, ids)
  const wanted =
    place.type === 'given'
      ? sql`SELECT id FROM conversations WHERE id = ${place.id}::uuid AND user_id = ${ctx.actor.userId}`
      : sql`SELECT id FROM conversations WHERE user_id = ${ctx.actor.userId} AND implicit AND updated_at > ${implicitSince(ctx)}`
  for (;;) {
    const conversationId = await take(ctx, wanted, ids.lease, deadline)
    if (conversationId !== undefined) return enterTaken(opening, conversationId, ids)
    if (place.type === 'given') throw noConversation()
    const begun = await enterImplicit(opening, ids)
    if (begun) return begun
  }
}

async function enterTaken({ deps, ctx, question }: Opening, conversationId: string, ids: Ids): Promise<Entered> {
  const past = await recentMessages(ctx, conversationId, deps.limits.historyRows)
  const now = instant(ctx.clock())
  const asked = await ask(
    ctx,
    question,
    ids,
    sql`UPDATE conversations SET updated_at = GREATEST(${now}, updated_at), lease_until = ${leaseEnd}
      WHERE ${holds(conversationId, ids.lease)} RETURNING id`,
  )
  if (asked === undefined) throw noConversation()
  return { conversationId, past }
}

async function enterNew({ ctx, question }: Opening, ids: Ids): Promise<Entered> {
  const conversationId = await withOwner(ctx, () => beginConversation(ctx, question, ids, false))
  if (conversationId === undefined) throw new Error('a conversation was not created')
  return { conversationId, past: [] }
}

/** Undefined when a concurrent request has begun the user's implicit conversation. */
async function enterImplicit({ ctx, question }: Opening, ids: Ids): Promise<Entered | undefined> {
  const { db, actor } = ctx
  await db.$executeRaw`
    UPDATE conversations SET implicit = false WHERE user_id = ${actor.userId} AND implicit AND updated_at <= ${implicitSince(ctx)}`
  const conversationId = await withOwner(ctx, () => beginConversation(ctx, question, ids, true))
  return conversationId === undefined ? undefined : { conversationId, past: [] }
}

const implicitSince = ({ clock }: UserContext) => instant(new Date(clock().getTime() - turnLimits.implicitMs))

/** Creates a conversation with the user's message. @throws AppError `throttled` when the user has too many conversations */
const beginConversation = (ctx: UserContext, question: Question, ids: Ids, implicit: boolean) =>
  holdingTo(ctx, 'conversations', () => ask(ctx, question, ids, creation(ctx, question, ids, implicit)))

function creation(ctx: UserContext, { message }: Question, ids: Ids, implicit: boolean): Prisma.Sql {
  const { actor, clock } = ctx
  const now = instant(clock())
  const title = [...(message.split('\n')[0] ?? '')].slice(0, turnLimits.titleChars).join('')
  return sql`
    INSERT INTO conversations (id, user_id, title, created_at, updated_at, lease_id, lease_until, implicit)
    SELECT ${uuidv7()}::uuid, ${actor.userId}, ${title}, ${now}, ${now}, ${ids.lease}::uuid, ${leaseEnd}, ${implicit}::boolean
    WHERE ${within(ctx, 'conversations')}
    ON CONFLICT (user_id) WHERE implicit DO NOTHING RETURNING id`
}

/** Adds the user's message to the conversation that `owned` returns, and records its client's id. Returns the conversation's id. */
async function ask({ db, actor, clock }: UserContext, { message, messageId }: Question, ids: Ids, owned: Prisma.Sql) {
  const turn = sql`, turn AS (
    INSERT INTO chat_turns (user_id, message_id, question_id) SELECT ${actor.userId}, ${messageId ?? ''}, asked.id FROM asked
  )`
  const [row] = await db.$queryRaw<{ conversation_id: string }[]>`
    WITH owned AS (${owned}),
    asked AS (${insertMessage({ id: ids.question, role: 'user', now: clock(), content: message })} RETURNING id, conversation_id)
    ${messageId === undefined ? empty : turn}
    SELECT conversation_id FROM asked`
  return row?.conversation_id
}

/** Waits for a conversation's lease and takes it. Undefined when `wanted` selects none. @throws AppError `conflict` when it stays busy */
async function take(ctx: UserContext, wanted: Prisma.Sql, leaseId: string, deadline: Deadline): Promise<string | undefined> {
  for (let waited = 0; waited < leaseLimits.patienceMs; waited += leaseLimits.pollMs) {
    const row = await tryTake(ctx, wanted, leaseId)
    if (!row || row.taken) return row?.id
    await pause(deadline)
  }
  throw busy()
}

async function pause({ stop }: Deadline): Promise<void> {
  await sleep(leaseLimits.pollMs, undefined, { signal: stop }).catch(() => {
    throw busy()
  })
}

const busy = () => new AppError('conflict', 'This conversation is still busy with an earlier message. Please try again.', { retryAfter: 5 })

/** A common table expression beside `owned`: stores the reply of a turn, or deletes the turn, so that a retry runs. */
function concluding(questionId: string, reply: Reply | undefined, { replyBytes }: ChatLimits): Prisma.Sql {
  const turn = sql`question_id = ${questionId}::uuid`
  if (!reply) return sql`, turn AS (DELETE FROM chat_turns USING owned WHERE ${turn})`
  const full = json(reply) ?? ''
  const stored = Buffer.byteLength(full) <= replyBytes ? full : json({ ...reply, calls: reply.calls.map(shortened) })
  return sql`, turn AS (UPDATE chat_turns SET reply = ${stored}::jsonb FROM owned WHERE ${turn})`
}
