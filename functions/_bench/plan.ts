// How PostgreSQL runs a statement: what the bench may claim about cost without looking at a clock.
import pg from 'pg'
import type { Statement } from './statements.ts'

type Node = {
  'Node Type': string
  'Index Name'?: string
  'Relation Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Shared Hit Blocks': number
  'Shared Read Blocks': number
  'Rows Removed by Filter'?: number
  Plans?: Node[]
}

export type Plan = {
  /** From the top down, e.g. `Limit, Index Scan todos_by_created`. */
  shape: string
  /** Rows are sorted, all of them, before the first is known. */
  sorts: boolean
  /** Every user's rows are looked at. */
  scansTable: boolean
  /** 8 KiB pages that were looked at. */
  pages: number
  /** Rows that were read and then thrown away. */
  wasted: number
  /** Rows that came of it. */
  rows: number
  milliseconds: number
}

/** Runs a statement as it was sent. `generic`: as a prepared statement that no longer looks at its values. */
export async function planOf(client: pg.Client, { text, values }: Statement, { generic = false } = {}): Promise<Plan> {
  const explain = 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)'
  if (!generic) return read(await client.query<Explained>(`${explain} ${text}`, values))
  await client.query('SET plan_cache_mode = force_generic_plan')
  await client.query(`PREPARE planned AS ${text}`)
  try {
    return read(
      await client.query<Explained>(`${explain} EXECUTE planned${values.length > 0 ? `(${values.map(literal).join(', ')})` : ''}`),
    )
  } finally {
    await client.query('DEALLOCATE planned')
    await client.query('RESET plan_cache_mode')
  }
}

type Explained = { 'QUERY PLAN': [{ Plan: Node; 'Execution Time': number }] }

function read({ rows }: pg.QueryResult<Explained>): Plan {
  const [explained] = rows[0]?.['QUERY PLAN'] ?? []
  if (!explained) throw new Error('PostgreSQL explained nothing')
  const top = explained.Plan
  const nodes = flat(top)
  return {
    shape: nodes.map((node) => [node['Node Type'], node['Index Name']].filter(Boolean).join(' ')).join(', '),
    sorts: nodes.some((node) => node['Node Type'] === 'Sort'),
    scansTable: nodes.some((node) => node['Node Type'] === 'Seq Scan' && node['Relation Name'] === 'todos'),
    pages: top['Shared Hit Blocks'] + top['Shared Read Blocks'],
    wasted: nodes.reduce((sum, node) => sum + (node['Rows Removed by Filter'] ?? 0) * node['Actual Loops'], 0),
    rows: top['Actual Rows'],
    milliseconds: explained['Execution Time'],
  }
}

const flat = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(flat)]

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'NULL'
  if (Array.isArray(value)) return pg.escapeLiteral(`{${value.map((item) => JSON.stringify(item)).join(',')}}`)
  return pg.escapeLiteral(String(value))
}
