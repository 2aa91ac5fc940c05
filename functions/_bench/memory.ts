// What a process holds on to: after its first answer, which is how most of them spend their lives, and after half a minute of load.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Memory, memoryOf } from '../../shared/testing/process-usage.ts'
import type { User, World } from '../_build/world.ts'
import { type Case, makeCases } from './cases.ts'
import { load } from './load.ts'
import { bundle, startProcess } from './processes.ts'
import type { Row } from './report.ts'
import { median } from './statistics.ts'

export async function memory(world: World, { short }: { short: boolean }): Promise<Row[]> {
  const user = await world.newUser()
  await world.addTodos(user, 20)
  const cases = await makeCases()
  const samples = new Map<Case, Memory[]>(cases.map((one) => [one, []]))
  for (let round = 0; round < (short ? 1 : 3); round++) {
    for (const [one, taken] of samples) taken.push(await atRest(world, user, one, short ? 500 : 2_000))
  }
  const [reference] = samples.values()
  const atRestRows = [...samples].map(([one, taken]) => restRow(one, taken, reference ?? []))
  return [...atRestRows, await underLoad(world, user, short ? 3 : 30)]
}

async function atRest({ environment }: World, user: User, { script, first }: Case, pause: number): Promise<Memory> {
  const { kill, pid, url } = await startProcess(script, environment)
  try {
    const { path, init } = first(user)
    const response = await fetch(url + path, init)
    await response.arrayBuffer()
    if (response.status !== 200) throw new Error(`${script}: ${path} answers ${response.status}`)
    await sleep(pause)
    return await memoryOf(pid)
  } finally {
    await kill('SIGKILL')
  }
}

const of = (taken: readonly Memory[], kind: keyof Memory) => median(taken.map((one) => one[kind]))

function restRow({ name, owed }: Case, taken: readonly Memory[], reference: readonly Memory[]): Row {
  const [rss, own] = [of(taken, 'rss'), of(taken, 'own')]
  const ownRatio = own / of(reference, 'own')
  return {
    what: `memory at rest, ${name}`,
    ratio: rss / of(reference, 'rss'),
    against: 'bare node:http',
    ...(owed ? { owed } : {}),
    figures: `${rss.toFixed(0)} MB resident, ${own.toFixed(0)} MB of it its own (${ownRatio.toFixed(2)} ×)`,
    values: { rss_mb: rss, own_mb: own, pss_mb: of(taken, 'pss'), own_ratio: ownRatio },
  }
}

async function underLoad({ environment }: World, user: User, seconds: number): Promise<Row> {
  const { kill, pid, url } = await startProcess(bundle('todos'), environment)
  try {
    const requests = [{ method: 'GET' as const, path: `/api/v1/${user.id}/todos`, headers: { authorization: user.authorization } }]
    const before = await memoryOf(pid)
    await load({ url, seconds, connections: 16, requests }, 200)
    const loaded = await memoryOf(pid)
    await sleep(seconds * 500)
    const after = await memoryOf(pid)
    return {
      what: `memory of todos through ${seconds} s of load`,
      figures: `${before.rss.toFixed(0)} MB when ready, ${loaded.rss.toFixed(0)} MB at its end, ${after.rss.toFixed(0)} MB ${seconds / 2} s later`,
      values: { before_mb: before.rss, loaded_mb: loaded.rss, after_mb: after.rss },
    }
  } finally {
    await kill('SIGKILL')
  }
}
