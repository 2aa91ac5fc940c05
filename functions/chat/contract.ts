// The schemas of POST /chat.
import { z } from 'zod'
import { ConversationRef, ToolCall } from '../../shared/conversations/conversations.ts'
import { text } from '../../shared/core/text.ts'
import { TimeZone } from '../../shared/todos/schema.ts'

export const ChatRequest = z
  .strictObject({
    message: text(1, 4000).describe('What the user says; 1 to 4000 characters after trimming'),
    conversation_id: ConversationRef.shape.conversation_id
      .nullable()
      .optional()
      .describe(
        'The conversation to continue. null begins a new one, and so does a stream without it. Else, without it: your latest conversation ' +
          'of the last 30 minutes that began without it',
      ),
    message_id: z
      .string()
      .regex(/^[\w.:-]{1,128}$/, 'must be 1 to 128 of the characters A-Z a-z 0-9 _ . : -')
      .optional()
      .describe('Your id of the message, unique among your messages: a retry with the same id gets the first answer and runs nothing'),
  })
  .meta({ example: { message: 'Add buy milk for tomorrow, high priority' } })

export const ChatHeaders = z.object({
  'x-time-zone': TimeZone.optional().describe(
    "The user's IANA time zone; dates in the message are meant in it. Without it: the zone of the latest todo that has one, else UTC",
  ),
})

/** The engine that answered: a language model or the built-in interpreter. */
export const Engine = z.enum(['model', 'rules'])

export const ChatReply = z
  .strictObject({
    success: z.literal(true),
    response: z.string().describe('The answer, in words'),
    user_id: z.string(),
    conversation_id: z.uuid(),
    tool_calls: z.array(ToolCall),
    engine: Engine.describe('Who answered: a language model, or the built-in interpreter'),
  })
  .meta({
    id: 'ChatReply',
    example: {
      success: true as const,
      response: 'Added “buy milk”, due Friday, 15 January 2027, high priority.',
      user_id: '019e1c69-02aa-7f7e-8d55-61c0f3b7d9e4',
      conversation_id: '019e1c70-11aa-7c52-9a3f-2f1d4b8e6a10',
      tool_calls: [
        {
          name: 'add_task',
          arguments: { title: 'buy milk', due_date: '2027-01-15', priority: 'high' as const },
          result: {},
          is_error: false,
        },
      ],
      engine: 'rules' as const,
    },
  })
export type ChatReply = z.output<typeof ChatReply>

/** The route's part of the API description. */
export const chat = {
  name: 'chat',
  summary: 'Say something about the todos, in words.',
  description:
    'With `Accept: text/event-stream` the answer streams as the AI SDK\'s UI message stream (`x-vercel-ai-ui-message-stream: v1`): text as it arrives, each tool call and its result, errors as parts, then `[DONE]`. `conversation_id` is in the metadata of the part `start`. Deleting or completing more than three todos is only done once the next message confirms it. A call whose outcome is not known has `outcome: "unknown"` in its result: look before you try again.',
  output: ChatReply,
  errors: ['not_found', 'conflict', 'throttled', 'bad_gateway', 'unavailable'] as const,
}
