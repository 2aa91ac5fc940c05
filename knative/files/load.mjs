// The load test of `helm test`: lists the twenty todos of one user repeatedly through the cluster-local gateway, after a cold start if at zero.
const CONNECTIONS = Number(process.env.CONNECTIONS)
const SECONDS = Number(process.env.SECONDS)
const api = (name) => `http://${process.env.HOSTS.split(',').find((host) => host.startsWith(`${name}.`))}/api/v1`

async function call(url, { token, body } = {}) {
  const response = await fetch(url, {
    method: body ? 'POST' : 'GET',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(60_000),
  })
  const answer = await response.json()
  if (!response.ok) throw new Error(`${url}: ${response.status} ${answer.detail}`)
  return answer
}

async function timed(run) {
  const begun = performance.now()
  await run()
  return performance.now() - begun
}

const stamp = Date.now().toString(36)
const account = { email: `load-${stamp}@example.com`, password: `load-test-${crypto.randomUUID()}` }
await call(`${api('auth')}/users/register`, { body: { ...account, username: `load-${stamp}` } })
const { access_token: token, user } = await call(`${api('auth')}/users/login`, { body: account })
const todos = `${api('todos')}/${user.id}/todos`
const first = await timed(() => call(`${todos}?limit=20`, { token }))
for (let index = 0; index < 20; index++) await call(todos, { token, body: { title: `Todo ${index}` } })

const times = []
const failures = new Map()
const until = performance.now() + SECONDS * 1_000
async function connection() {
  while (performance.now() < until) {
    try {
      times.push(await timed(() => call(`${todos}?limit=20`, { token })))
    } catch (error) {
      failures.set(String(error), (failures.get(String(error)) ?? 0) + 1)
    }
  }
}
await Promise.all(Array.from({ length: CONNECTIONS }, connection))

times.sort((a, b) => a - b)
const percentile = (p) => (times[Math.min(times.length - 1, Math.floor(times.length * p))] ?? Number.NaN).toFixed(1)
const failed = [...failures.values()].reduce((sum, count) => sum + count, 0)
process.stdout.write(`
list of 20 todos, ${CONNECTIONS} connections, ${SECONDS} s
  first request  ${first.toFixed(0)} ms
  requests/s     ${(times.length / SECONDS).toFixed(0)}
  p50            ${percentile(0.5)} ms
  p99            ${percentile(0.99)} ms
  failed         ${failed}
`)
for (const [error, count] of failures) process.stdout.write(`    ${count} x ${error}\n`)
process.exitCode = failed === 0 && times.length > 0 ? 0 : 1
