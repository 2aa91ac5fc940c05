// The HTTP routes of chat and conversations.
import { randomUUID } from 'node:crypto'
import type { UserRate } from '../../shared/accounts/user-rates.ts'
import {
  ConversationRef,
  deleteConversation,
  getConversation,
  ListConversations,
  listConversations,
  ReadConversation,
  shown,
} from '../../shared/conversations/conversations.ts'
import { AppError } from '../../shared/core/errors.ts'
import { createApp } from '../../shared/http/app.ts'
import { signedIn } from '../../shared/http/authenticate.ts'
import type { AppDeps } from '../../shared/http/types.ts'
import { body, headers, path, query } from '../../shared/http/validate.ts'
import type { VerifyToken } from '../../shared/identity/issuers.ts'
import { serves } from '../../shared/openapi/route.ts'
import { type Answer, type AnswerDeps, answerMessage } from './answer.ts'
import { ChatHeaders, type ChatReply, ChatRequest, chat } from './contract.ts'
import { createDeadline } from './deadline.ts'
import type { Emit } from './events.ts'
import { tracedModel } from './traced-model.ts'
import { openTurn, type Place, type Reply } from './turn.ts'
import { UI_STREAM_HEADERS, uiStream } from './ui-stream.ts'

/** `messageRate` limits the messages of each user. */
export type ChatDeps = AppDeps & AnswerDeps & { verifyToken: VerifyToken; messageRate: UserRate }
export type ChatApp = ReturnType<typeof chatApp>

const conversations = '/api/v1/conversations'
const conversation = `${conversations}/:conversation_id` as const

export function chatApp(deps: ChatDeps) {
  const { limits } = deps
  const signed = signedIn(deps)
  const engine = deps.ask ? ('model' as const) : ('rules' as const)

  return createApp({ name: 'chat', about: 'Chat about the todos, and the stored conversations.' }, deps)
    .post('/api/v1/chat', serves(chat), signed, headers(ChatHeaders), body(ChatRequest), async (c) => {
      const { ctx } = c.var
      await deps.messageRate(ctx.actor.userId)
      const { message, conversation_id, message_id: messageId } = c.req.valid('json')
      const deadline = createDeadline(limits, c.req.raw)
      const streams = /\btext\/event-stream\b/i.test(c.req.header('accept') ?? '')
      // Open the turn before the response starts, so that an unknown conversation is a 404 for a stream too.
      const turn = await openTurn(deps, ctx, { message, messageId, place: placeOf(conversation_id, streams) }, deadline)
      const about = {
        conversation_id: turn.conversationId,
        user_id: ctx.actor.userId,
        engine: turn.type === 'answered' ? turn.reply.engine : engine,
      }
      const asked = { message, timeZone: c.req.valid('header')['x-time-zone'], deadline, streams }
      const answering = { ...deps, ask: deps.ask && tracedModel(deps.ask, c.var.span) }
      const answer = (emit: Emit) =>
        turn.type === 'answered' ? repeat(turn.reply, emit) : answerMessage(answering, ctx, turn, { ...asked, emit })

      if (streams) {
        const start = { messageId: `msg_${randomUUID()}`, messageMetadata: about }
        const run = async (emit: Emit) => (await answer(emit)).failure?.message
        return c.body(uiStream(start, run, limits), 200, UI_STREAM_HEADERS)
      }
      const { response, calls, failure } = await answer(() => {})
      if (failure && calls.length === 0) throw failure
      return c.json({ success: true, response, ...about, tool_calls: calls.map(shown) } satisfies ChatReply)
    })
    .get(conversations, serves(listConversations), signed, query(ListConversations), async (c) =>
      c.json(await listConversations(c.var.ctx, c.req.valid('query'))),
    )
    .get(
      conversation,
      serves(getConversation),
      signed,
      path(ConversationRef),
      query(ReadConversation.omit({ conversation_id: true })),
      async (c) => c.json(await getConversation(c.var.ctx, { ...c.req.valid('param'), ...c.req.valid('query') })),
    )
    .delete(conversation, serves(deleteConversation), signed, path(ConversationRef), async (c) =>
      c.json(await deleteConversation(c.var.ctx, c.req.valid('param'))),
    )
}

function placeOf(conversationId: string | null | undefined, streams: boolean): Place {
  if (conversationId) return { type: 'given', id: conversationId }
  // A streaming client reads the new conversation's id from the part `start`.
  return conversationId === null || streams ? { type: 'new' } : { type: 'implicit' }
}

/** Replays a stored answer. */
async function repeat({ response, calls, failure }: Reply, emit: Emit): Promise<Answer> {
  for (const call of calls) {
    emit({ type: 'call', call })
    emit({ type: 'result', call })
  }
  emit({ type: 'text', text: response })
  emit({ type: 'text-end' })
  return { response, calls, failure: failure === null ? undefined : new AppError('unavailable', failure) }
}
