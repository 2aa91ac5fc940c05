// The answer as the AI SDK's UI message stream, version 1: server-sent events, each a JSON part, then `[DONE]`.
// https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol#ui-message-stream-protocol
import { randomUUID } from 'node:crypto'
import type { ChatEvent, Emit } from './events.ts'
import type { ChatLimits } from './limits.ts'

export const UI_STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-vercel-ai-ui-message-stream': 'v1',
  // nginx and its relatives would buffer the response.
  'x-accel-buffering': 'no',
}

type Start = { messageId: string; messageMetadata: Record<string, string> }

type Timing = Pick<ChatLimits, 'keepAliveMs' | 'unreadMs'>

/**
 * A body that streams the events of `answer`. `answer` resolves with the text of its failure, if any; an error that it throws becomes an
 * error part. If the client has not read everything `unreadMs` after the end, the rest is dropped and the connection closed.
 */
export function uiStream(start: Start, answer: (emit: Emit) => Promise<string | undefined>, { keepAliveMs, unreadMs }: Timing) {
  const encoder = new TextEncoder()
  let timer: NodeJS.Timeout | undefined
  let open = true
  const stop = () => {
    open = false
    clearInterval(timer)
  }
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const write = (line: string) => {
        if (open) controller.enqueue(encoder.encode(`${line}\n\n`))
      }
      const part = (value: Record<string, unknown>) => write(`data: ${JSON.stringify(value)}`)
      timer = setInterval(() => write(': keep-alive'), keepAliveMs)
      part({ type: 'start', ...start })
      const end = (errorText: string | undefined) => {
        if (errorText !== undefined) part({ type: 'error', errorText })
        part({ type: 'finish' })
        write('data: [DONE]')
        if (open) controller.close()
        stop()
        // A no-op for a stream that was read to its end.
        setTimeout(() => controller.error(new Error('the client did not read its answer')), unreadMs).unref()
      }
      answer(partsOf(part)).then(end, () => end('Something went wrong on our side.'))
    },
    // The answer stops by itself, because the request's signal aborts too.
    cancel: stop,
  })
}

function partsOf(part: (value: Record<string, unknown>) => void): Emit {
  let textId: string | undefined
  return (event: ChatEvent) => {
    switch (event.type) {
      case 'text':
        if (textId === undefined) {
          textId = `text_${randomUUID()}`
          part({ type: 'text-start', id: textId })
        }
        return part({ type: 'text-delta', id: textId, delta: event.text })
      case 'text-end':
        if (textId !== undefined) part({ type: 'text-end', id: textId })
        textId = undefined
        return
      case 'call': {
        const { id, name, arguments: input } = event.call
        return part({ type: 'tool-input-available', toolCallId: id, toolName: name, input })
      }
      case 'result': {
        const { id, is_error, result } = event.call
        if (!is_error) return part({ type: 'tool-output-available', toolCallId: id, output: result })
        const error = result !== null && typeof result === 'object' && 'error' in result ? String(result.error) : 'The call failed.'
        return part({ type: 'tool-output-error', toolCallId: id, errorText: error })
      }
    }
  }
}
