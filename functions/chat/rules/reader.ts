// Reads a user's todos page by page for one message, within a budget: however a message is phrased, it costs a bounded amount of work.
import { setImmediate as breathe } from 'node:timers/promises'
import type { z } from 'zod'
import type { UserContext } from '../../../shared/core/context.ts'
import { ListTodos, type Todo } from '../../../shared/todos/schema.ts'
import { listTodos } from '../../../shared/todos/todos.ts'
import { isSlip } from './spelling.ts'

const readerLimits = {
  /** Todos of one search: all that a user may have. */
  reach: 10_000,
  /** Todos of a page. */
  page: 500,
  /** Todos that all searches of one message read. A page counts as `leastRows` at least. */
  rows: 60_000,
  leastRows: 100,
  /** Pairs of words that one message compares letter by letter, and how many of them before other requests get a turn. */
  comparisons: 100_000,
  comparisonsAtOnce: 5_000,
}

export type Filters = Omit<z.input<typeof ListTodos>, 'limit'>
export type Reader = ReturnType<typeof createReader>

export function createReader(ctx: UserContext, limits = readerLimits) {
  let rows = 0
  let comparisons = 0
  let rested = 0
  return {
    /** Pairs of words compared so far. */
    comparisons: () => comparisons,
    /**
     * Visits the todos that match, page by page and in their order.
     * @returns false when the budget or `reach` ended it before the last one
     */
    async each(filters: Filters, visit: (page: Todo[]) => void | Promise<void>): Promise<boolean> {
      // A text that is too long to search for matches no todo.
      if (!ListTodos.shape.q.safeParse(filters.q).success) return true
      let { cursor } = filters
      let read = 0
      do {
        if (rows >= limits.rows || read >= limits.reach) return false
        const { todos, next_cursor } = await listTodos(ctx, ListTodos.parse({ ...filters, cursor, limit: limits.page }))
        rows += Math.max(todos.length, limits.leastRows)
        read += todos.length
        await visit(todos)
        cursor = next_cursor ?? undefined
      } while (cursor !== undefined)
      return true
    },
    /** Gives other requests their turn when much has been compared since the last time. */
    async rest(): Promise<void> {
      if (comparisons - rested < limits.comparisonsAtOnce) return
      rested = comparisons
      await breathe()
    },
    /** Whether a word was meant to be one of these, but for a slip of the fingers. Undefined when the budget is spent. */
    isNearOne(said: string, words: Iterable<string>): boolean | undefined {
      for (const word of words) {
        if (said === word) return true
        if (Math.abs(said.length - word.length) > 2) continue
        if (comparisons >= limits.comparisons) return undefined
        comparisons++
        if (isSlip(said, word)) return true
      }
      return false
    },
  }
}
