// The agent loop: asks the model, runs the tools it calls and returns their results to it, until it answers or a limit is reached.
// A turn is stored before its tools run, and each result right after its tool.
import { randomUUID } from 'node:crypto'
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions'
import type { Journal, PastMessage } from '../../shared/conversations/journal.ts'
import type { TokenBudget } from '../../shared/conversations/usage.ts'
import type { UserContext } from '../../shared/core/context.ts'
import { type ChatLimits, estimateTokens } from './limits.ts'
import type { AskModel, ModelAnswer } from './model.ts'
import { describeTool, systemPrompt, toHistory, toTurn } from './prompt.ts'
import type { Toolbox } from './toolbox.ts'

export type Agent = {
  ctx: UserContext
  ask: AskModel
  budget: TokenBudget
  limits: ChatLimits
  journal: Journal
  toolbox: Toolbox
  signal: AbortSignal
  /** Receives the text as it arrives; undefined when the client does not stream. */
  onText: ((text: string) => void) | undefined
  /** Receives the whole text of a turn at its end. */
  onTurn: (text: string) => void
}

/**
 * Answers one message. Returns the text of the last turn, not stored yet; `stopped` is the reason when a limit ended the loop.
 * @throws AppError when the model fails or the day's budget is used up; the signal's reason when it aborts
 */
export async function runAgent(agent: Agent, message: string, past: readonly PastMessage[], timeZone: string) {
  const { ctx, limits, journal, toolbox, onTurn } = agent
  const messages: ChatCompletionMessageParam[] = [
    { role: 'system', content: systemPrompt(ctx.clock(), timeZone, ctx.actor.readOnly) },
    ...toHistory(past, limits.historyTokens),
    { role: 'user', content: message },
  ]
  for (let turn = 0; turn < limits.turns; turn++) {
    const answer = await askWithinBudget(agent, messages)
    onTurn(answer.text)
    if (answer.calls.length === 0) return { text: answer.text }

    const room = limits.calls - toolbox.done.length
    const reads = answer.calls.slice(0, room).map((call) => toolbox.read(`call_${randomUUID()}`, call.name, call.arguments))
    const calls = reads.map(({ call }) => call)
    const row = await journal.add('assistant', { content: answer.text, calls })
    await toolbox.run(reads, () => journal.fill(row, { calls }))
    messages.push(...toTurn(answer.text, calls))

    if (answer.calls.length > room)
      return { text: '', stopped: `I stopped after ${limits.calls} calls, which is as many as one message may take.` }
    if (toolbox.repeats() >= limits.repeats) return { text: '', stopped: 'I stopped because I repeated the same calls.' }
  }
  return { text: '', stopped: `I stopped after ${limits.turns} rounds without coming to an end.` }
}

async function askWithinBudget(
  { ctx, ask, budget, limits, toolbox, signal, onText }: Agent,
  messages: ChatCompletionMessageParam[],
): Promise<ModelAnswer> {
  const tools = toolbox.tools.map(describeTool)
  const asked = estimateTokens(JSON.stringify([messages, tools]))
  signal.throwIfAborted()
  const settle = await budget.reserve(ctx.actor.userId, asked + limits.outputTokens)
  // The prompt and the text that arrived count towards the budget when the client disconnects; nothing counts when the model fails.
  let spent = 0
  let seen = ''
  const onSeen = (text: string) => {
    seen += text
    onText?.(text)
  }
  try {
    const answer = await ask({ messages, tools, signal, onText: onText && onSeen })
    spent = answer.tokens ?? asked + estimateTokens(answer.text + JSON.stringify(answer.calls))
    return answer
  } finally {
    await settle(signal.aborted ? Math.max(spent, asked + estimateTokens(seen)) : spent)
  }
}
