// The load, as a process of its own: autocannon over some connections, each of which sends its own requests over and over.
// `argv[2]` is a `LoadOrder`; the `Load` that came of it is printed as JSON.
import autocannon from 'autocannon'
import type { Load, LoadOrder } from './load.ts'
import { quantile } from './statistics.ts'

const { url, seconds, connections, requests }: LoadOrder = JSON.parse(process.argv[2] ?? '')
const times: number[] = []
const statuses: Record<string, number> = {}
let client = 0
let begun = 0

let last = 0

const errors = await new Promise<number>((resolve, reject) => {
  const options: autocannon.Options = {
    url,
    connections,
    duration: seconds,
    sampleInt: 100,
    timeout: 30,
    // Each connection begins somewhere else, far from the others, so that they do not want the same row at once.
    setupClient: (connection) => {
      const from = Math.floor((client++ * requests.length) / connections)
      connection.setRequests([...requests.slice(from), ...requests.slice(0, from)].map((request) => ({ ...request })))
    },
  }
  const run = autocannon(options, (error, result) => (error ? reject(error) : resolve(result.errors)))
  run.on('start', () => {
    begun = performance.now()
  })
  run.on('response', (_client, status, _bytes, milliseconds) => {
    last = performance.now()
    times.push(milliseconds)
    statuses[status] = (statuses[status] ?? 0) + 1
  })
})
const { user, system } = process.cpuUsage()
const load: Load = {
  requests: times.length,
  perSecond: (times.length * 1000) / (last - begun),
  p50: quantile(times, 0.5),
  p99: quantile(times, 0.99),
  statuses,
  errors,
  busy: (user + system) / 1000 / (last - begun),
}
process.stdout.write(JSON.stringify(load))
