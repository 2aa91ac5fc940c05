// Which statements a session keeps prepared: parsing and planning them is a good part of what the database does for a short one.

/** Statements that a session keeps: those of this application are far fewer, and what a caller can vary without bound is not kept. */
const MOST = 100

/**
 * Makes the names; an empty one is the protocol's unnamed statement, which nothing keeps. A statement with a LIMIT gets that: the plan that
 * PostgreSQL keeps knows no values, takes any limit for a tenth of all rows, and so would sort a million todos to show twenty.
 */
export function createStatementNames(): (query: { sql: string }) => string {
  const names = new Map<string, string>()
  return ({ sql }) => {
    const known = names.get(sql)
    if (known !== undefined) return known
    if (names.size >= MOST || /\bLIMIT\b/.test(sql)) return ''
    const name = `todo_${names.size}`
    names.set(sql, name)
    return name
  }
}
