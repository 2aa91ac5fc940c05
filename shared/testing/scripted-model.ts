// A server with OpenAI's chat completions API that plays a test's script over real HTTP, with and without streaming.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { startServer } from './http-server.ts'

/** The model's answer in one turn. */
export type Turn = {
  text?: string
  calls?: { name: string; arguments: unknown }[]
  /** Answers with this status instead. */
  status?: number
  headers?: Record<string, string>
  /** Never answers. */
  hangs?: boolean
  /** Sends a byte of its text, or of its HTTP body, now and then, without an end. */
  drips?: 'text' | 'body'
  /** Streams its deltas, and the rest when this is settled. */
  waits?: Promise<unknown>
  /** Streams its text, then cuts the connection, or ends the response without the final chunk. */
  cuts?: 'connection' | 'answer'
  /** Streams these deltas as they are before everything else. */
  deltas?: object[]
  /** The token usage that it reports. */
  usage?: object
}
const Request = z.object({
  stream: z.boolean().optional(),
  messages: z.array(z.object({ role: z.string(), content: z.string().nullish(), tool_call_id: z.string().optional() })),
  tools: z.array(z.object({ function: z.object({ name: z.string(), parameters: z.looseObject({}) }) })).optional(),
})
export type ModelRequest = z.output<typeof Request>
/** The turns in order, the last repeated; or a function from a request to its turn. */
export type Script = Turn[] | ((request: ModelRequest, turn: number) => Turn)

export async function startScriptedModel() {
  let script: Script = []
  let requests: ModelRequest[] = []
  /** Resolves when a client disconnects before its answer. */
  let hungUp = Promise.withResolvers<void>()
  const server = await startServer(async (request, response) => {
    response.on('close', () => response.writableFinished || hungUp.resolve())
    const asked = Request.parse(JSON.parse(await read(request)))
    requests.push(asked)
    const turn = typeof script === 'function' ? script(asked, requests.length - 1) : (script[requests.length - 1] ?? script.at(-1) ?? {})
    if (turn.hangs) return
    if (turn.drips) return drip(response, turn.drips)
    if (turn.status) return fail(response, turn)
    return asked.stream ? stream(response, turn) : complete(response, turn)
  })
  return {
    url: `${server.url}/v1`,
    /** Starts a script and clears the recorded requests. */
    play(next: Script) {
      script = next
      requests = []
      hungUp = Promise.withResolvers()
    },
    requests: () => requests,
    hungUp: () => hungUp.promise,
    stop: server.stop,
  }
}

const usage = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 }
const asJson = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
const functionsOf = ({ calls = [] }: Turn) =>
  calls.map((call, index) => ({ id: `c${index}`, type: 'function', function: { name: call.name, arguments: asJson(call.arguments) } }))
const reasonOf = (turn: Turn) => (turn.calls ? 'tool_calls' : 'stop')

function complete(response: ServerResponse, turn: Turn): void {
  const message = { role: 'assistant', content: turn.text ?? null, ...(turn.calls ? { tool_calls: functionsOf(turn) } : {}) }
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(
    JSON.stringify({
      id: 'x',
      object: 'chat.completion',
      choices: [{ index: 0, message, finish_reason: reasonOf(turn) }],
      usage: turn.usage ?? usage,
    }),
  )
}

async function stream(response: ServerResponse, turn: Turn): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (delta: object, finish_reason: string | null = null, more: object = {}) =>
    response.write(
      `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }], ...more })}\n\n`,
    )
  for (const delta of turn.deltas ?? []) send(delta)
  await turn.waits
  for (const piece of turn.text?.match(/.{1,5}/gs) ?? []) send({ content: piece })
  for (const [index, call] of functionsOf(turn).entries()) {
    const { name, arguments: given } = call.function
    send({ tool_calls: [{ index, id: call.id, type: 'function', function: { name, arguments: '' } }] })
    for (const piece of given.match(/.{1,1000}/gs) ?? []) send({ tool_calls: [{ index, function: { arguments: piece } }] })
  }
  // The written bytes have to arrive first.
  if (turn.cuts === 'answer') return void response.end()
  if (turn.cuts === 'connection') return void response.write(': cut\n\n', () => setImmediate(() => response.destroy()))
  send({}, reasonOf(turn), { usage: turn.usage ?? usage })
  response.end('data: [DONE]\n\n')
}

async function drip(response: ServerResponse, what: 'text' | 'body'): Promise<void> {
  response.writeHead(200, { 'content-type': what === 'text' ? 'text/event-stream' : 'application/json' })
  const piece =
    what === 'text' ? `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: 'x' }, finish_reason: null }] })}\n\n` : ' '
  while (!response.destroyed) {
    response.write(piece)
    await sleep(10)
  }
}

function fail(response: ServerResponse, { status = 500, headers }: Turn): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify({ error: { message: 'the key sk-secret of account 42 is bad', type: 'x' } }))
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
