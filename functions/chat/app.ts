// The HTTP face of chat and of conversations.
import { randomUUID } from 'node:crypto'
import { type AppDeps, createApp } from '../../shared/http/app.ts'
import { signedIn } from '../../shared/http/authenticate.ts'
import { serves } from '../../shared/http/route.ts'
import { body, headers, path, query } from '../../shared/http/validate.ts'
import type { VerifyToken } from '../../shared/identity/issuers.ts'
import {
  ConversationRef,
  deleteConversation,
  getConversation,
  ListConversations,
  listConversations,
  ReadConversation,
  shown,
} from '../../shared/operations/conversations.ts'
import { type AnswerDeps, answerMessage } from './answer.ts'
import { ChatHeaders, type ChatReply, ChatRequest, chat } from './contract.ts'
import { openJournal } from './journal.ts'
import { tracedModel } from './traced-model.ts'
import { UI_STREAM_HEADERS, uiStream } from './ui-stream.ts'

export type ChatDeps = AppDeps & AnswerDeps & { verifyToken: VerifyToken }
export type ChatApp = ReturnType<typeof chatApp>

const conversations = '/api/v1/conversations'
const conversation = `${conversations}/:conversation_id` as const

export function chatApp(deps: ChatDeps) {
  const { limits } = deps
  const signed = signedIn(deps)
  const engine = deps.ask ? ('model' as const) : ('rules' as const)

  return createApp({ name: 'chat', about: 'The todos in words, and the conversations about them.' }, deps)
    .post('/api/v1/chat', serves(chat), signed, headers(ChatHeaders), body(ChatRequest), async (c) => {
      const { ctx } = c.var
      const { message, conversation_id } = c.req.valid('json')
      const signal = AbortSignal.any([AbortSignal.timeout(limits.time), c.req.raw.signal])
      const streams = /\btext\/event-stream\b/i.test(c.req.header('accept') ?? '')
      const asked = { message, timeZone: c.req.valid('header')['x-time-zone'], signal, streams }
      // Before anything is sent: a conversation that is not there is an ordinary 404, streaming or not.
      const journal = await openJournal(ctx, message, conversation_id, signal)
      const about = { conversation_id: journal.conversationId, user_id: ctx.actor.userId, engine }

      const answering = { ...deps, ask: deps.ask && tracedModel(deps.ask, c.var.span) }

      if (streams) {
        const run = async (emit: Parameters<typeof answerMessage>[3]['emit']) => {
          const { failure } = await answerMessage(answering, ctx, journal, { ...asked, emit }).finally(journal.close)
          return failure?.message
        }
        const start = { messageId: `msg_${randomUUID()}`, messageMetadata: about }
        return c.body(uiStream(start, run, limits.keepAlive), 200, UI_STREAM_HEADERS)
      }
      const { response, calls, failure } = await answerMessage(answering, ctx, journal, { ...asked, emit: () => {} }).finally(journal.close)
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
