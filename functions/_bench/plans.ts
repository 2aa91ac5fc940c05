// Whether a page costs what it should: judged by what PostgreSQL did for it, on a user with very many todos, not by a clock.
import type pg from 'pg'
import { WALKED } from '../../shared/todos/search.ts'
import type { User, World } from '../_build/world.ts'
import { type Plan, planOf } from './plan.ts'
import type { Row } from './report.ts'
import { filters, fromTheMiddle, listStatement, type Variant, variants } from './variants.ts'

type Judged = Omit<Variant, 'query'> & { place: 'first' | 'deep'; plan: Plan }

/** A page of 20 takes 21 rows, each on a page of its own at the worst, the way down an index, and some index pages between them. */
const ENOUGH_PAGES = 60

/** A search that finds next to nothing reads some todos in order, each on a page of its own at the worst, and then what an index found. */
const ENOUGH_SEARCHED = 3 * WALKED
const findsNothing = ({ filter }: Judged) => /rare|absent/.test(filter)

/** Lists that an index answers by itself, in order: nothing is sorted, and next to nothing read in vain. */
function inOrder({ filter, sort, place }: Omit<Judged, 'plan'>): boolean {
  if (filter === 'pending') return /created|due/.test(sort)
  // Todos of one priority have the order of their ids, which for a user who owns most of the table the primary key has, too.
  if (filter === 'priority') return /priority/.test(sort) && place === 'deep'
  return filter === 'none'
}

/**
 * `most` has very many todos, `some` a small part of all that there are: whom a table scan would make pay for the others' rows.
 * @throws Error with the plan, when one is not what it should be
 */
export async function plans(deps: World['deps'], client: pg.Client, { most, some }: Record<'most' | 'some', User>): Promise<Row[]> {
  const ofMost = await judge(deps, client, most)
  const ofSome = await judge(deps, client, some)
  const wrong = [
    ...ofSome.filter(({ plan }) => plan.scansTable),
    ...[...ofMost, ...ofSome].filter(({ plan, ...list }) => inOrder(list) && (plan.sorts || plan.pages > ENOUGH_PAGES)),
    ...[...ofMost, ...ofSome].filter((list) => findsNothing(list) && list.plan.pages > ENOUGH_SEARCHED),
  ]
  if (wrong.length > 0) throw new Error(`these lists cost more than they should:\n${wrong.map(line).join('\n')}`)
  return Object.keys(filters).map((filter) =>
    row(
      filter,
      ofMost.filter((one) => one.filter === filter),
    ),
  )
}

async function judge(deps: World['deps'], client: pg.Client, user: User): Promise<Judged[]> {
  const judged: Judged[] = []
  for (const { query, ...variant } of variants) {
    const deep = await fromTheMiddle(deps, client, user, query, variant.sort)
    for (const [place, seen] of [['first', query], ...(deep ? [['deep', deep] as const] : [])] as const) {
      const statement = await listStatement(deps, user, seen)
      const list = { ...variant, place }
      judged.push({ ...list, plan: await planOf(client, statement) })
      // A prepared statement may go on with a plan that knows no values: then that one counts, too.
      if (statement.name !== undefined && inOrder(list)) judged.push({ ...list, plan: await planOf(client, statement, { generic: true }) })
    }
  }
  return judged
}

const line = ({ filter, sort, place, plan }: Judged) => `filter ${filter}, sort ${sort}, ${place} page: ${plan.pages} pages, ${plan.shape}`

function row(filter: string, judged: readonly Judged[]): Row {
  const [worst] = [...judged].sort((a, b) => b.plan.pages - a.plan.pages)
  if (!worst) throw new Error(`no list with filter ${filter}`)
  const { sort, place, plan } = worst
  const sorted = judged.filter((one) => one.plan.sorts).length
  const how = sorted === 0 ? 'all in the order of an index' : `${sorted} of ${judged.length} sort what an index found`
  return {
    what: `plans, ${judged.length} lists with filter: ${filter}`,
    figures: `${how}; at most ${plan.pages} pages, ${plan.milliseconds.toFixed(1)} ms (sort ${sort}, ${place} page: ${plan.shape})`,
    values: { pages: plan.pages, ms: plan.milliseconds, sorted },
  }
}
