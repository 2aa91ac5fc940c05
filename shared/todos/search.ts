// Where the todos of a search come from. It costs little for any text and any order, without trusting an estimate of how frequent the
// text is: first the todos that come first in the order are read, a bounded number, then an index is asked for the rest.
import { empty, join, type Sql, sql } from '@todo/prisma'
import type { sortKey } from './paging.ts'

/** Todos that are read in order before an index is asked, on top of one for each row that is wanted. A frequent text is found by then. */
export const WALKED = 500

/** Word for word as its indexes have it. In upper case, because that is what it is in any context: a Greek sigma has two lower ones. */
const searched = sql`upper((title || E'\\n' || COALESCE(description, '')) COLLATE "und-x-icu")`

/** Title or description contain the text in any case. */
const containing = (q: string) => sql`${searched} LIKE upper(${`%${q.replace(/[\\%_]/g, '\\$&')}%`}::text COLLATE "und-x-icu")`

/** Three letters that any locale takes for letters: only such a text has trigrams. */
const HAS_TRIGRAMS = /[a-z0-9]{3}/i
/** One character, or two neighbours: exactly what the terms are, so no text need be compared. In ASCII, where no case changes the length. */
const IS_TERM = /^[ -~]{1,2}$/

/** The user's todos that contain the text, from a GIN index, never by the order of another one. */
function indexed(userId: string, q: string): Sql {
  if (HAS_TRIGRAMS.test(q))
    return sql`SELECT * FROM todos WHERE user_id = ${userId} AND ${containing(q)} AND EXISTS (SELECT FROM edge) OFFSET 0`
  const terms = sql`todo_search_terms(user_id, ${searched}) @> todo_search_terms(${userId}, upper(${q}::text COLLATE "und-x-icu"))`
  const found = sql`SELECT * FROM todos WHERE ${terms} AND EXISTS (SELECT FROM edge) OFFSET 0`
  return IS_TERM.test(q) ? found : sql`SELECT * FROM (${found}) AS todos WHERE ${containing(q)}`
}

type Search = {
  userId: string
  q: string
  key: ReturnType<typeof sortKey>
  order: Sql
  /** How many rows are wanted. */
  rows: number
  /** What the rows that are read in order have in common; an index has them in this order. */
  walked: Sql
  /** What else is looked for. */
  others: readonly Sql[]
}

/**
 * A WITH clause, and a query over it for raw rows of `todos`: the first `rows` in the order are among them.
 * `OFFSET 0` keeps PostgreSQL from turning the look-up into a walk along the order, which ends late when all matches lie at its far end.
 */
export function search({ userId, q, key, order, rows, walked, others: conditions }: Search): { with: Sql; todos: Sql } {
  const than = key.descending ? sql`<` : sql`>`
  const reach = WALKED + rows
  const others = conditions.length > 0 ? sql` AND ${join(conditions, ' AND ')}` : empty
  return {
    with: sql`WITH near AS MATERIALIZED (
      SELECT * FROM (SELECT * FROM todos WHERE ${walked} ${order} LIMIT ${reach}) AS todos WHERE ${containing(q)}${others} LIMIT ${rows}
    ), edge AS MATERIALIZED (
      SELECT ${key.expression} AS place, id FROM todos
      WHERE (SELECT count(*) FROM near) < ${rows} AND ${walked} ${order} OFFSET ${reach - 1} LIMIT 1
    )`,
    todos: sql`
      SELECT * FROM near UNION ALL
      SELECT * FROM (${indexed(userId, q)}) AS todos
      WHERE user_id = ${userId} AND (${key.expression}, id) ${than} (SELECT place, id FROM edge)${others}`,
  }
}
