// Yes/no is handled by the server, never by the model: it runs exactly the calls it asked about.

import type { Journal } from '../../shared/conversations/journal.ts'
import type { UserContext } from '../../shared/core/context.ts'
import type { Confirmations } from './confirmations.ts'
import { findTodo } from './lookup.ts'
import { runInPages } from './pages.ts'
import type { ChatState } from './state.ts'
import { namedAmong, summarizeCalls, summarizeUndone } from './summary.ts'
import type { Call, Toolbox } from './toolbox.ts'

const YES =
  /^(yes|y|yep|yeah|yup|ye|sure( thing)?|ok(ay)?|confirm(ed)?|do it|go( ahead| on| for it)|please do|proceed|correct|right|absolutely|definitely|of course|i am sure|i'?m sure)\b([\s,.!]+(please|pls|do (it|so|that)|go ahead|(delete|remove|complete|finish) (them|it|those|these|all( of (them|it))?|everything)|all of them|i('| a)?m sure|i am sure|confirm(ed)?|thanks|thank you))*[\s.!]*$/i
const NO =
  /^(no|n|nope|nah|never ?mind|cancel( (it|that))?|stop|don'?t|do not|leave (it|them)|forget (it|that)|keep (it|them)|neither( of them)?|none( of (them|those|these))?)\b[^?]*$/i

export const isYes = (message: string) => YES.test(message.trim())
export const isNo = (message: string) => NO.test(message.trim())

/**
 * Merges consecutive calls that differ only in `todo_id` into one with all the ids, so that thousands of calls stay small.
 * `unpackCalls` returns the same calls in the same order.
 */
export function packCalls(calls: readonly Call[]): Call[] {
  const packed: { call: Call; ids: unknown[]; rest: string }[] = []
  for (const call of calls) {
    const { todo_id, ...others } = call.arguments
    const rest = JSON.stringify([call.name, others])
    const last = packed.at(-1)
    if (last?.rest === rest) last.ids.push(todo_id)
    else packed.push({ call, ids: [todo_id], rest })
  }
  return packed.map(({ call, ids }) => (ids.length === 1 ? call : { name: call.name, arguments: { ...call.arguments, todo_id: ids } }))
}

export function unpackCalls(packed: readonly Call[]): Call[] {
  return packed.flatMap((call) => {
    const { todo_id } = call.arguments
    return Array.isArray(todo_id)
      ? todo_id.map((id: unknown) => ({ name: call.name, arguments: { ...call.arguments, todo_id: id } }))
      : [call]
  })
}

type Deps = { ctx: UserContext; journal: Journal; toolbox: Toolbox; confirmations: Confirmations }

/** The answer to a yes or no; undefined when no confirmation is pending or the message is neither. */
export async function settleConfirmation(deps: Deps, message: string, { confirmation }: ChatState): Promise<string | undefined> {
  if (!confirmation) return undefined
  if (isNo(message)) return 'All right: nothing was changed.'
  if (!isYes(message)) return undefined
  const { ctx, journal, toolbox, confirmations } = deps
  const { token, calls: packed } = confirmation
  if (!(await confirmations.confirms(token, { userId: ctx.actor.userId, calls: packed })))
    return 'Too much time has passed since I asked: nothing was changed. Please say again what you would like.'

  const calls = unpackCalls(packed)
  const titles = await titlesOf(ctx, calls)
  const ran = await runInPages({ ctx, journal, toolbox }, calls, true)
  return [summarizeCalls(ran, titles), ...summarizeUndone(ran, calls.length)].join(' ')
}

/** Titles by todo id, for the calls that a summary names. A deleted todo has none. */
export async function titlesOf(ctx: UserContext, calls: readonly Call[]): Promise<Map<string, string>> {
  const ids = namedAmong(calls).map(({ arguments: given }) => String(given.todo_id))
  const titled = await Promise.all(
    ids.map(async (id): Promise<[string, string][]> => {
      const todo = await findTodo(ctx, id)
      return todo ? [[id, todo.title]] : []
    }),
  )
  return new Map(titled.flat())
}
