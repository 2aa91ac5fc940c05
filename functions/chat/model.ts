// The language model, behind any server that speaks OpenAI's chat completions. The SDK is imported with the first question: it is heavy,
// and without a key nobody needs it.
import { setTimeout as sleep } from 'node:timers/promises'
import type OpenAI from 'openai'
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam, ChatCompletionTool } from 'openai/resources/chat/completions'
import type { Stream } from 'openai/streaming'
import { createBoundedFetch } from './bounded-fetch.ts'
import type { ChatLimits } from './limits.ts'
import { readModelFailure, truncated } from './model-failure.ts'

export type ModelConfig = {
  apiKey: string
  /** Where the server is; OpenAI itself when undefined. */
  baseUrl: string | undefined
  model: string
}

export type Question = {
  messages: ChatCompletionMessageParam[]
  tools: ChatCompletionTool[]
  signal: AbortSignal
  /** Is given the text as it arrives; without it the answer comes in one piece. */
  onText: ((text: string) => void) | undefined
}

export type ModelAnswer = {
  text: string
  calls: { name: string; arguments: string }[]
  /** What it cost, if the server says so. */
  tokens: number | undefined
}
export type AskModel = (question: Question) => Promise<ModelAnswer>

/** Characters of a call's name or id. */
const NAME_LENGTH = 200
/** Tokens that one answer can cost, with all that was asked. */
const MAX_TOKENS = 10_000_000

/** @throws AppError `bad_gateway` or `unavailable`; whatever the signal's reason is, when it aborts */
export function createModel({ apiKey, baseUrl, model }: ModelConfig, limits: ChatLimits): AskModel {
  let client: Promise<OpenAI> | undefined
  async function connect(): Promise<OpenAI> {
    const { OpenAI } = await import('openai')
    return new OpenAI({
      apiKey,
      baseURL: baseUrl ?? 'https://api.openai.com/v1',
      maxRetries: 0,
      timeout: limits.timeMs,
      fetch: createBoundedFetch(limits.bodyBytes),
      logLevel: 'off',
      organization: null,
      project: null,
    })
  }
  // OpenAI's newer models refuse the old name of this limit; most compatible servers know only the old one.
  const outputLimit = baseUrl ? { max_tokens: limits.outputTokens } : { max_completion_tokens: limits.outputTokens }

  async function ask({ messages, tools, signal, onText }: Question): Promise<ModelAnswer> {
    client ??= connect()
    const { completions } = (await client).chat
    const request = { model, messages, ...(tools.length > 0 ? { tools } : {}), ...outputLimit }
    if (!onText) return readCompletion(await completions.create(request, { signal }), limits)
    const stream = await completions.create({ ...request, stream: true, stream_options: { include_usage: true } }, { signal })
    return readStream(stream, onText, limits)
  }

  return async function askPatiently(question) {
    const { signal, onText } = question
    let begun = false
    const noteText =
      onText &&
      ((text: string) => {
        begun = true
        onText(text)
      })
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await ask({ ...question, onText: noteText })
        signal.throwIfAborted()
        return answer
      } catch (error) {
        signal.throwIfAborted()
        const { failure, again } = readModelFailure(error)
        if (!again || begun || attempt >= limits.retries) throw failure
        const wait =
          failure.retryAfter !== undefined && again === 'when told' ? failure.retryAfter * 1000 : limits.retryPauseMs * 2 ** attempt
        // The user would be gone before the server is back.
        if (wait > limits.timeMs / 4) throw failure
        await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted())
      }
    }
  }
}

function readCompletion({ choices, usage }: ChatCompletion, limits: ChatLimits): ModelAnswer {
  const message = choices?.[0]?.message
  if (!message) throw truncated()
  const calls = (message.tool_calls ?? []).flatMap((call) => (call.type === 'function' ? [call.function] : []))
  return {
    text: fitting(String(message.content ?? message.refusal ?? ''), limits.answerBytes),
    calls: calls.slice(0, limits.answerCalls).map((call) => ({ name: nameIn(call.name), arguments: asText(call.arguments, limits) })),
    tokens: tokensIn(usage),
  }
}

async function readStream(stream: Stream<ChatCompletionChunk>, onText: (text: string) => void, limits: ChatLimits): Promise<ModelAnswer> {
  const answer: ModelAnswer = { text: '', calls: [], tokens: undefined }
  const calls: StreamedCall[] = []
  let room = limits.answerBytes
  let finished = false
  for await (const { choices, usage } of stream) {
    answer.tokens = tokensIn(usage) ?? answer.tokens
    const choice = choices?.[0]
    if (!choice) continue
    const { content, refusal, tool_calls } = choice.delta ?? {}
    const text = fitting(String(content ?? refusal ?? ''), room)
    if (text) {
      room -= Buffer.byteLength(text)
      answer.text += text
      onText(text)
    }
    for (const part of tool_calls ?? []) addPart(calls, part, limits)
    finished ||= choice.finish_reason !== null && choice.finish_reason !== undefined
  }
  // A stream that ends without saying why was cut: half a call must not run.
  if (!finished) throw truncated()
  return { ...answer, calls: calls.map((call) => ({ name: call.name, arguments: call.arguments })) }
}

type StreamedCall = { index: number | undefined; id: string | undefined; name: string; arguments: string }
type Part = ChatCompletionChunk.Choice.Delta.ToolCall

/** Not every server counts its calls: a new id begins a new call as well as a new index does. */
function addPart(calls: StreamedCall[], { index, id: given, function: part }: Part, limits: ChatLimits): void {
  const id = given && nameIn(given)
  let call = calls.findLast((known) => known.index === index)
  if (!call || (id && call.id && id !== call.id)) {
    if (calls.length >= limits.answerCalls) return
    call = { index, id, name: '', arguments: '' }
    calls.push(call)
  }
  call.name ||= nameIn(part?.name ?? '')
  call.arguments += String(part?.arguments ?? '').slice(0, limits.argumentChars + 1 - call.arguments.length)
}

const nameIn = (given: unknown) => String(given).slice(0, NAME_LENGTH)

/** The beginning of a text that fits into so many bytes of UTF-8; no character is cut in two. */
function fitting(text: string, bytes: number): string {
  // A UTF-16 unit has three bytes at the most.
  if (text.length * 3 <= bytes) return text
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(bytes)).read)
}

/** What a server says that its answer cost, if that can be true: it is taken from the user's budget. */
function tokensIn(usage: { total_tokens?: unknown } | null | undefined): number | undefined {
  const tokens = usage?.total_tokens
  return typeof tokens === 'number' && Number.isInteger(tokens) && tokens > 0 && tokens <= MAX_TOKENS ? tokens : undefined
}

/** Some servers send the object itself instead of its JSON. One character too many is enough to be refused. */
function asText(given: unknown, limits: ChatLimits): string {
  return (typeof given === 'string' ? given : JSON.stringify(given ?? {})).slice(0, limits.argumentChars + 1)
}
