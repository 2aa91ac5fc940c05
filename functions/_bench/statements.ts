// Every statement that a piece of code sends, seen where it leaves: at the driver. Nothing is retyped, so nothing can be out of date.
import pg from 'pg'

export type Statement = {
  text: string
  values: unknown[]
  /** A prepared statement has one: the server may stop looking at its values after a few runs. */
  name?: string
}

/** Runs a function and lists the statements that this process sends meanwhile. */
export async function statementsOf<T>(run: () => Promise<T>): Promise<{ result: T; statements: Statement[] }> {
  const statements: Statement[] = []
  const { query } = pg.Client.prototype
  pg.Client.prototype.query = function noted(this: pg.Client, ...given: unknown[]) {
    const [first, second] = given
    if (isConfig(first)) statements.push({ text: first.text, values: first.values ?? [], ...(first.name ? { name: first.name } : {}) })
    else statements.push({ text: String(first), values: Array.isArray(second) ? second : [] })
    return Reflect.apply(query, this, given)
  }
  try {
    return { result: await run(), statements }
  } finally {
    pg.Client.prototype.query = query
  }
}

function isConfig(value: unknown): value is pg.QueryConfig {
  return typeof value === 'object' && value !== null && 'text' in value
}
