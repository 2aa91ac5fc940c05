// Opens and ends a turn. A lease makes a conversation take one message at a time. A message with a client's id is answered once: retries
// wait for the lease, and a unique key in `chat_turns` decides between two concurrent requests.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '@todo/prisma'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { noConversation, StoredCall } from '../../shared/conversations/conversations.ts'
import {
  createJournal,
  type Entry,
  type Journal,
  json,
  type PastMessage,
  recentMessages,
  shortened,
} from '../../shared/conversations/journal.ts'
import { keepLease, type Lease, leaseLimits, releaseLease, tryTake } from '../../shared/conversations/lease.ts'
import { storable } from '../../shared/conversations/storable.ts'
import {
  addQuestion,
  beginConversation,
  callsOf,
  concludeTurn,
  concluding,
  conversationOf,
  type EarlierTurn,
  findTurn,
  implicitConversation,
  ownConversation,
  type TurnIds,
} from '../../shared/conversations/turns.ts'
import type { UserContext } from '../../shared/core/context.ts'
import { AppError } from '../../shared/core/errors.ts'
import { constraintOf } from '../../shared/core/failure.ts'
import type { Log } from '../../shared/core/log.ts'
import { Engine } from './contract.ts'
import { type Deadline, outOfTime, until } from './deadline.ts'
import type { ChatLimits } from './limits.ts'
import { UNKNOWN_OUTCOME } from './outcome.ts'
import { mayHaveChanged, summarizeCalls } from './summary.ts'

/** Where a message goes: `implicit` continues the user's conversation of messages without an id, or begins it. */
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
    const earlier = await findEarlier(ctx, question.messageId)
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

type Earlier = Omit<EarlierTurn, 'reply'> & { reply: Reply | undefined }

async function findEarlier(ctx: UserContext, messageId: string | undefined): Promise<Earlier | undefined> {
  const turn = messageId === undefined ? undefined : await findTurn(ctx, messageId)
  if (!turn) return undefined
  const reply = turn.reply === null ? undefined : Reply.safeParse(turn.reply).data
  if (turn.reply !== null && !reply) throw new AppError('conflict', 'This message was answered already: its conversation has the answer.')
  return { ...turn, reply }
}

function refuseAnother({ content, conversation_id }: Earlier, { message, place }: Question): void {
  if (content !== storable(message)) throw new AppError('conflict', 'This message_id was used for another message.')
  if (place.type === 'given' && place.id !== conversation_id)
    throw new AppError('conflict', 'This message_id was used in another conversation.')
}

/** Waits for an earlier request with the same message. Returns its answer; undefined when it changed nothing and the message may run. */
async function settle({ deps, ctx, question, deadline }: Opening, earlier: Earlier): Promise<Reply | undefined> {
  const leaseId = uuidv7()
  try {
    for (;;) {
      const row = await tryTake(ctx, conversationOf(earlier), leaseId)
      if (row?.taken) break
      const turn = await findEarlier(ctx, question.messageId)
      if (!turn || turn.reply) return turn?.reply
      await pause(deadline)
    }
  } catch (error) {
    // The lease may be held although its statement failed.
    if (!(error instanceof AppError)) await releaseLease(ctx, deps.log, leaseId)
    throw error
  }
  const lease = keepLease(ctx, deps.log, earlier.conversation_id, leaseId)
  try {
    // The lease shuts the earlier request out: what it has not written by now, it never will.
    const turn = await findEarlier(ctx, question.messageId)
    return turn && !turn.reply ? await concludeInterrupted(ctx, turn, lease) : turn?.reply
  } finally {
    await lease.release()
  }
}

/** Answers for a request that crashed, or could not store its answer, from the calls that it stored. */
async function concludeInterrupted(ctx: UserContext, turn: Earlier, lease: Lease): Promise<Reply | undefined> {
  const calls = interrupted(await callsOf(ctx, turn))
  const response = `I was interrupted before I had answered this message. ${summarizeCalls(calls)}`
  const reply: Reply | undefined = mayHaveChanged(calls) ? { response, engine: 'rules', calls, failure: null } : undefined
  await concludeTurn(ctx, turn.question_id, lease, reply)
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
  const ids: TurnIds = { lease: uuidv7(), question: uuidv7() }
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
    end: (entry, reply) =>
      journal.end(entry, question.messageId === undefined ? undefined : concluding(ids.question, reply && fitting(reply, deps.limits))),
  }
}

type Entered = Pick<OpenTurn, 'conversationId' | 'past'>

/** Takes the conversation or begins it, and adds the user's message. */
async function enter(opening: Opening, ids: TurnIds): Promise<Entered> {
  const { ctx, question, deadline } = opening
  const { place } = question
  if (place.type === 'new') {
    const conversationId = await beginConversation(ctx, question, ids, { implicit: false })
    if (conversationId === undefined) throw new Error('a conversation was not created')
    return { conversationId, past: [] }
  }
  const wanted = place.type === 'given' ? ownConversation(ctx, place.id) : implicitConversation(ctx)
  for (;;) {
    const conversationId = await take(ctx, wanted, ids.lease, deadline)
    if (conversationId !== undefined) return enterTaken(opening, conversationId, ids)
    if (place.type === 'given') throw noConversation()
    // Undefined when another request has begun the user's implicit conversation meanwhile.
    const begun = await beginConversation(ctx, question, ids, { implicit: true })
    if (begun !== undefined) return { conversationId: begun, past: [] }
  }
}

async function enterTaken({ deps, ctx, question }: Opening, conversationId: string, ids: TurnIds): Promise<Entered> {
  const past = await recentMessages(ctx, conversationId, deps.limits.historyRows)
  if (!(await addQuestion(ctx, conversationId, question, ids))) throw noConversation()
  return { conversationId, past }
}

/** Waits for a conversation and takes it. Undefined when `wanted` selects none. @throws AppError `conflict` when it stays busy */
async function take(ctx: UserContext, wanted: Sql, leaseId: string, deadline: Deadline): Promise<string | undefined> {
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

/** The reply as it is stored: the results of its calls are shortened when it would exceed `replyBytes`. */
function fitting(reply: Reply, { replyBytes }: ChatLimits): Reply {
  const bytes = Buffer.byteLength(json(reply) ?? '')
  return bytes <= replyBytes ? reply : { ...reply, calls: reply.calls.map(shortened) }
}
