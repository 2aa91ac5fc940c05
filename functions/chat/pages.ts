// Runs many calls for one answer in pages and stores each page: “everything” may be 10,000 todos, more than one turn has time for.
import { randomUUID } from 'node:crypto'
import type { StoredCall } from '../../shared/conversations/conversations.ts'
import type { Journal } from '../../shared/conversations/journal.ts'
import type { UserContext } from '../../shared/core/context.ts'
import { chatLimits } from './limits.ts'
import { UNKNOWN_OUTCOME } from './outcome.ts'
import { outcomeOf } from './summary.ts'
import type { Call, Toolbox } from './toolbox.ts'

/** In one row of the conversation. */
const PAGE_CALLS = 100

type Deps = { ctx: UserContext; journal: Journal; toolbox: Toolbox }

/**
 * Runs the calls in order, for at most `chatLimits.manyMs`.
 * @returns the calls that ran, each with its result; fewer than given when the time ran out
 */
export async function runInPages({ ctx, journal, toolbox }: Deps, calls: readonly Call[], confirmed: boolean): Promise<StoredCall[]> {
  const end = ctx.clock().getTime() + chatLimits.manyMs
  const isMany = calls.length > PAGE_CALLS
  const stored: StoredCall[] = []
  for (let start = 0; start < calls.length; start += PAGE_CALLS) {
    if (start > 0 && ctx.clock().getTime() >= end) break
    const reads = calls
      .slice(start, start + PAGE_CALLS)
      .map(({ name, arguments: given }) => toolbox.read(`call_${randomUUID()}`, name, given))
    const page = reads.map(({ call }) => call)
    // The results of many calls are stored page by page: after a crash in between, each of the page may have run.
    const row = await journal.add('assistant', { calls: isMany ? page.map(withUnknownOutcome) : page })
    const save = () => journal.fill(row, { calls: page })
    try {
      await toolbox.run(reads, isMany ? async () => {} : save, { confirmed })
    } finally {
      if (isMany) {
        // The answer lists every call: keep only the id, title and state of each result.
        for (const call of page) call.result = outcomeOf(call.result) ?? call.result
        await save()
      }
    }
    stored.push(...page)
  }
  return stored
}

const withUnknownOutcome = (call: StoredCall): StoredCall => ({ ...call, result: UNKNOWN_OUTCOME, is_error: true, settled: true })
