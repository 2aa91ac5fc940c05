// The tokens that a user's conversations may cost a day (UTC), counted in PostgreSQL, so that all replicas count together.
import { type Db, sql } from '@todo/prisma'
import { AppError } from '../core/errors.ts'

export type TokenBudget = ReturnType<typeof makeTokenBudget>

export function makeTokenBudget({ db, clock }: { db: Db; clock: () => Date }, perDay: number) {
  return {
    /**
     * Takes tokens before they are spent, so that parallel requests cannot exceed the budget. `settle` corrects the number.
     * @throws AppError `throttled` when the day has not that many left
     */
    async reserve(userId: string, tokens: number) {
      const now = clock()
      const day = now.toISOString().slice(0, 10)
      const reserved = await db.execute(sql`
        INSERT INTO chat_usage AS usage (user_id, day, tokens) SELECT ${userId}, ${day}::date, ${tokens}::int WHERE ${tokens}::int <= ${perDay}::int
        ON CONFLICT (user_id) DO UPDATE SET day = EXCLUDED.day,
          tokens = CASE WHEN usage.day = EXCLUDED.day THEN usage.tokens ELSE 0 END + EXCLUDED.tokens
        WHERE usage.day <> EXCLUDED.day OR usage.tokens + EXCLUDED.tokens <= ${perDay}`)
      if (reserved === 0) {
        const retryAfter = Math.ceil((Date.parse(`${day}T24:00:00Z`) - now.getTime()) / 1000)
        throw new AppError('throttled', "Today's budget for the language model is used up. It is renewed at midnight UTC.", { retryAfter })
      }
      return async function settle(actual: number): Promise<void> {
        await db.execute(sql`
          UPDATE chat_usage SET tokens = GREATEST(0, tokens + ${actual - tokens}::int) WHERE user_id = ${userId} AND day = ${day}::date`)
      }
    },
  }
}
