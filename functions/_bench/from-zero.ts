// How soon a function answers once its process listens, asked as on Knative: the queue-proxy is there first, asks every 50 ms whether the
// function is ready, and passes on the request that waits.
import { type FirstCall, firstCalls } from '../_build/first-calls.ts'
import type { World } from '../_build/world.ts'
import { freePort, startQueueProxy } from '../_e2e/queue-proxy.ts'
import { bundle, startProcess } from './processes.ts'
import type { Row } from './report.ts'
import { median, spread } from './statistics.ts'

export async function fromZero(world: World, { short }: { short: boolean }): Promise<Row[]> {
  const user = await world.newUser()
  await world.addTodos(user, 20)
  const rows: Row[] = []
  for (const [name, first] of Object.entries(firstCalls)) {
    const samples: Sample[] = []
    // The first round only warms the file cache.
    for (let round = -1; round < (short ? 3 : 10); round++) {
      const sample = await start(world, name, first(user))
      if (round >= 0) samples.push(sample)
    }
    const [ready, answered] = [samples.map((sample) => sample.readyMs), samples.map((sample) => sample.answeredMs)]
    rows.push({
      what: `from zero behind the queue-proxy, ${name}`,
      figures: `first answer ${spread(answered, 'ms')} after ready; ready ${spread(ready, 'ms')} after it listens, asked every 50 ms`,
      values: { ready_ms: median(ready), answered_ms: median(answered) },
    })
  }
  return rows
}

/** Milliseconds: from listening to ready, and from ready to the first answer. */
type Sample = { readyMs: number; answeredMs: number }

/** @throws Error when the function does not become ready, or does not answer 200 */
async function start({ environment }: World, name: string, { path, init }: FirstCall): Promise<Sample> {
  const port = await freePort()
  const proxy = await startQueueProxy(port)
  const probing = proxy.probe().then((status) => ({ status, at: performance.now() }))
  const { kill } = await startProcess(bundle(name), { ...environment, PORT: String(port) })
  const listening = performance.now()
  try {
    const { status, at } = await probing
    if (status !== 200) throw new Error(`${name} does not become ready`)
    const response = await fetch(proxy.url + path, init)
    const text = await response.text()
    if (response.status !== 200) throw new Error(`${name}: ${path} answers ${response.status} ${text}`)
    return { readyMs: at - listening, answeredMs: performance.now() - at }
  } finally {
    await kill('SIGKILL')
    proxy.cut()
    await proxy.close()
  }
}
