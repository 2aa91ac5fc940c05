// The client of a language model, for any server with OpenAI's chat completions API. The SDK is imported on the first request: it is
// heavy, and unused without a key.
import { setTimeout as sleep } from 'node:timers/promises'
import type OpenAI from 'openai'
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam, ChatCompletionTool } from 'openai/resources/chat/completions'
import type { Stream } from 'openai/streaming'
import { createBoundedFetch } from './bounded-fetch.ts'
import type { ChatLimits } from './limits.ts'
import { readModelFailure, truncated } from './model-failure.ts'

export type ModelConfig = {
  apiKey: string
  /** The server's base URL; OpenAI's when undefined. */
  baseUrl: string | undefined
  model: string
}

export type Question = {
  messages: ChatCompletionMessageParam[]
  tools: ChatCompletionTool[]
  signal: AbortSignal
  /** Receives the text as it arrives; undefined requests the answer in one piece. */
  onText: ((text: string) => void) | undefined
}

export type ModelAnswer = {
  text: string
  calls: { name: string; arguments: string }[]
  /** The tokens used, if the server reports them. */
  tokens: number | undefined
}
export type AskModel = (question: Question) => Promise<ModelAnswer>

const answerLimits = {
  /** Of a call's name or id. */
  nameChars: 200,
  /** Reported for one answer and its prompt; more is not believable. */
  reportedTokens: 10_000_000,
}

/** The returned function throws AppError `bad_gateway` or `unavailable`, or the signal's reason when it aborts. */
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
  // OpenAI's newer models reject the old name of this limit; most compatible servers know only the old one.
  const outputLimit = baseUrl ? { max_tokens: limits.outputTokens } : { max_completion_tokens: limits.outputTokens }

  async function ask({ messages, tools, signal, onText }: Question): Promise<ModelAnswer> {
    client ??= connect()
    const { completions } = (await client).chat
    const request = { model, messages, ...(tools.length > 0 ? { tools } : {}), ...outputLimit }
    if (!onText) return readCompletion(await completions.create(request, { signal }), limits)
    const stream = await completions.create({ ...request, stream: true, stream_options: { include_usage: true } }, { signal })
    return readStream(stream, onText, limits)
  }

  return async function askWithRetries(question) {
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
        const { failure, retry } = readModelFailure(error)
        if (!retry || begun || attempt >= limits.retries) throw failure
        const wait =
          failure.retryAfter !== undefined && retry === 'retry-after' ? failure.retryAfter * 1000 : limits.retryPauseMs * 2 ** attempt
        // The client would time out before the server recovers.
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
  // A stream without a finish reason was truncated: half a call must not run.
  if (!finished) throw truncated()
  return { ...answer, calls: calls.map((call) => ({ name: call.name, arguments: call.arguments })) }
}

type StreamedCall = { index: number | undefined; id: string | undefined; name: string; arguments: string }
type Part = ChatCompletionChunk.Choice.Delta.ToolCall

/** Some servers send no index, so a new id begins a new call as well. */
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

const nameIn = (given: unknown) => String(given).slice(0, answerLimits.nameChars)

/** The beginning of a text, at most `bytes` of UTF-8. Never splits a character. */
function fitting(text: string, bytes: number): string {
  // A UTF-16 unit takes at most three bytes.
  if (text.length * 3 <= bytes) return text
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(bytes)).read)
}

/** The reported tokens, if believable: they are charged to the user's budget. */
function tokensIn(usage: { total_tokens?: unknown } | null | undefined): number | undefined {
  const tokens = usage?.total_tokens
  return typeof tokens === 'number' && Number.isInteger(tokens) && tokens > 0 && tokens <= answerLimits.reportedTokens ? tokens : undefined
}

/** Some servers send an object instead of JSON text. One character above the limit is kept, so that the toolbox rejects it. */
function asText(given: unknown, limits: ChatLimits): string {
  return (typeof given === 'string' ? given : JSON.stringify(given ?? {})).slice(0, limits.argumentChars + 1)
}
