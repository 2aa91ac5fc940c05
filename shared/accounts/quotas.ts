// Quotas: how much a user may have. Triggers count in `user_counters` and refuse a change that would exceed the limit, so that of many
// changes at once exactly as many pass as fit. The limit is a setting of this process, so the statement carries it to the trigger.
import { type Sql, sql } from '@todo/prisma'
import type { Quotas } from '../core/context.ts'
import { AppError } from '../core/errors.ts'
import { constraintOf } from '../core/failure.ts'

/** As the triggers know a quota: the setting `todo.<name>`, and the constraint `user_counters_<name>` that a refusal names. */
const NAMES = { openTodos: 'open_todos', conversations: 'conversations' } as const satisfies Record<keyof Quotas, string>

const ADVICE = {
  openTodos: (limit: string) => `You have ${limit} open todos, which is the limit. Complete or delete some first.`,
  conversations: (limit: string) => `You have ${limit} conversations, which is the limit. Delete some, or go on with one of them.`,
} as const satisfies Record<keyof Quotas, (limit: string) => string>

/** A condition that is always true. Evaluating it holds the statement, and the rest of its transaction, to the quota. */
export function within({ quotas }: { quotas: Quotas }, quota: keyof Quotas): Sql {
  return sql`set_config(${`todo.${NAMES[quota]}`}, ${String(quotas[quota])}, true) IS NOT NULL`
}

/** Runs a statement that is `within` a quota. @throws AppError `throttled` when the quota is used up, and what `run` throws */
export async function holdingTo<T>({ quotas }: { quotas: Quotas }, quota: keyof Quotas, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (constraintOf(error) !== `user_counters_${NAMES[quota]}`) throw error
    // No `retryAfter`: time alone frees nothing.
    throw new AppError('throttled', ADVICE[quota](quotas[quota].toLocaleString('en')), { cause: error })
  }
}
