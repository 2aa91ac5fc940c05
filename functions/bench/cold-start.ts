// How long a function takes from nothing to its first answer that has read the database, against a bare `node:http` process.
import path from 'node:path'
import { bundle, end, quantile, startProcess, type World } from './world.ts'

const FUNCTIONS = ['todos', 'users', 'auth', 'chat', 'mcp']

/** Interleaved, so that whatever else the machine does meets all of them alike. */
export async function coldStart({ environment }: World, rounds: number) {
  const bare = path.join(import.meta.dirname, 'bare.mjs')
  const scripts = [['bare node:http', bare], ...FUNCTIONS.map((name) => [name, bundle(name)])] as const
  const samples = new Map<string, number[]>(scripts.map(([name]) => [name, []]))
  for (let round = -1; round < rounds; round++) {
    for (const [name, script] of scripts) {
      const { child, url, begun } = await startProcess(script, environment)
      await (await fetch(`${url}/health/ready`)).arrayBuffer()
      // The first round only warms the file cache.
      if (round >= 0) samples.get(name)?.push(performance.now() - begun)
      await end(child, 'SIGKILL')
    }
  }
  const reference = quantile(samples.get('bare node:http') ?? [], 0.5)
  return [...samples].map(([name, values]) => ({
    what: `cold start, ${name}`,
    ratio: quantile(values, 0.5) / reference,
    figures: `${quantile(values, 0.5).toFixed(0)} ms (${quantile(values, 0.1).toFixed(0)} to ${quantile(values, 0.9).toFixed(0)})`,
  }))
}
