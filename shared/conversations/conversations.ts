// Conversations as their owner sees them. What writes them is the chat function's own business (shared/conversations/journal.ts).
import { empty, instant, sql } from '@todo/prisma'
import { z } from 'zod'
import type { UserContext } from '../core/context.ts'
import { Instant, readCursor, writeCursor } from '../core/cursor.ts'
import { AppError } from '../core/errors.ts'
import { operation } from '../core/operation.ts'

export const ConversationRef = z.strictObject({ conversation_id: z.uuid().describe("The conversation's id") })

/** A tool that was called on the user's behalf. */
export const ToolCall = z.strictObject({
  name: z.string(),
  arguments: z.record(z.string(), z.unknown()),
  result: z
    .unknown()
    .describe(
      'What the tool answered, or `{error, …}`, with `outcome: "unknown"` when it may have been done; null when the answer never came',
    ),
  is_error: z.boolean(),
})
export type ToolCall = z.output<typeof ToolCall>

/** The same as it is stored: models identify calls by their ids. `settled` is false until there is a result. */
export const StoredCall = ToolCall.extend({ id: z.string(), settled: z.boolean() })
export type StoredCall = z.output<typeof StoredCall>

const example = {
  id: '019e1c70-11aa-7c52-9a3f-2f1d4b8e6a10',
  title: 'Add buy milk for tomorrow',
  created_at: '2027-01-10T08:15:30.123Z',
  updated_at: '2027-01-10T08:15:31.456Z',
}

const summary = {
  id: z.uuid(),
  title: z.string().nullable().describe('The beginning of its first message'),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
}
const limit = z.int().min(1).max(200).default(50)
const cursor = z.string().max(500).optional().describe('`next_cursor` of the page before')
const next_cursor = z.string().nullable().describe('Opaque; null on the last page')

export const ListConversations = z.strictObject({ limit: limit.describe('Conversations a page'), cursor })
export const ConversationPage = z
  .strictObject({ conversations: z.array(z.strictObject(summary)), count: z.int().min(0), next_cursor })
  .meta({ id: 'ConversationPage', example: { conversations: [example], count: 1, next_cursor: null } })

export const ReadConversation = z.strictObject({ ...ConversationRef.shape, limit: limit.describe('Messages a page'), cursor })
const Message = z.strictObject({
  id: z.uuid(),
  role: z.enum(['user', 'assistant']),
  content: z.string(),
  tool_calls: z.array(ToolCall).describe('Long results are shortened'),
  created_at: z.iso.datetime(),
})
export const Conversation = z
  .strictObject({ ...summary, messages: z.array(Message).describe('Oldest first'), count: z.int().min(0), next_cursor })
  .meta({
    id: 'Conversation',
    example: {
      ...example,
      messages: [{ id: example.id, role: 'user' as const, content: example.title, tool_calls: [], created_at: example.created_at }],
      count: 1,
      next_cursor: null,
    },
  })

const DeletedConversation = z
  .strictObject({ success: z.literal(true), message: z.string() })
  .meta({ example: { success: true, message: 'Conversation deleted successfully' } })

export const listConversations = operation(
  {
    name: 'list_conversations',
    summary: 'List the conversations, the one that was active last first.',
    effect: 'read',
    input: ListConversations,
    output: ConversationPage,
  },
  async ({ db, actor }: UserContext, { limit, cursor }) => {
    const after = cursor === undefined ? undefined : readCursor(ListCursor, cursor)
    const rows = await db.query(
      sql`
      SELECT ${columns} FROM conversations
      WHERE user_id = ${actor.userId}
      ${after ? sql`AND (updated_at, id) < (${instant(new Date(after.updated_at))}, ${after.id}::uuid)` : empty}
      ORDER BY updated_at DESC, id DESC
      LIMIT ${limit + 1}`,
      Row,
    )
    const page = rows.slice(0, limit).map(toSummary)
    const last = rows.length > limit ? page.at(-1) : undefined
    return {
      conversations: page,
      count: page.length,
      next_cursor: last ? writeCursor({ updated_at: last.updated_at, id: last.id }) : null,
    }
  },
)

export const getConversation = operation(
  {
    name: 'get_conversation',
    summary: 'Show a conversation with its messages, oldest first, a page at a time.',
    effect: 'read',
    input: ReadConversation,
    output: Conversation,
    errors: ['not_found'],
  },
  async ({ db, actor }: UserContext, { conversation_id, limit, cursor }) => {
    const after = cursor === undefined ? 0 : readCursor(MessageCursor, cursor).position
    const [conversation] = await db.query(
      sql`SELECT ${columns} FROM conversations WHERE id = ${conversation_id}::uuid AND user_id = ${actor.userId}`,
      Row,
    )
    if (!conversation) throw noConversation()
    const rows = await db.query(
      sql`
        SELECT id, position, role::text, content, tool_calls, created_at FROM messages
        WHERE conversation_id = ${conversation.id}::uuid AND position > ${after} ORDER BY position LIMIT ${limit + 1}`,
      MessageRow,
    )
    const page = rows.slice(0, limit)
    const last = rows.length > limit ? page.at(-1) : undefined
    return {
      ...toSummary(conversation),
      messages: page.map((row) => ({
        id: row.id,
        role: row.role,
        content: row.content,
        tool_calls: storedCalls(row.tool_calls).map(shown),
        created_at: row.created_at.toISOString(),
      })),
      count: page.length,
      next_cursor: last ? writeCursor({ position: last.position }) : null,
    }
  },
)

export const deleteConversation = operation(
  {
    name: 'delete_conversation',
    summary: 'Delete a conversation with all its messages. The todos that it made stay.',
    effect: 'destroy',
    input: ConversationRef,
    output: DeletedConversation,
    errors: ['not_found'],
  },
  async ({ db, actor }: UserContext, { conversation_id }) => {
    const deleted = await db.execute(sql`DELETE FROM conversations WHERE id = ${conversation_id}::uuid AND user_id = ${actor.userId}`)
    if (deleted === 0) throw noConversation()
    return { success: true as const, message: 'Conversation deleted successfully' }
  },
)

/** The same error for a conversation of another user and for one that never existed. */
export const noConversation = () => new AppError('not_found', 'There is no such conversation.')

/** A call without what only the server needs of it. */
export function shown({ name, arguments: given, result, is_error }: StoredCall): ToolCall {
  return { name, arguments: given, result, is_error }
}

/** Reads a row's calls. Calls that cannot be parsed count as none, so that a conversation always loads. */
export function storedCalls(value: unknown): StoredCall[] {
  const calls = z.array(StoredCall).safeParse(value ?? [])
  return calls.success ? calls.data : []
}

const Row = z.strictObject({ id: z.uuid(), title: z.string().nullable(), created_at: z.date(), updated_at: z.date() })
type Row = z.output<typeof Row>
const MessageRow = Message.extend({ position: z.int(), tool_calls: z.unknown(), created_at: z.date() })
const columns = sql`id, title, created_at, updated_at`

const toSummary = ({ id, title, created_at, updated_at }: Row) => ({
  id,
  title,
  created_at: created_at.toISOString(),
  updated_at: updated_at.toISOString(),
})

const ListCursor = z.strictObject({ updated_at: Instant, id: z.uuid() })
const MessageCursor = z.strictObject({ position: z.int().min(0).max(2_147_483_647) })
