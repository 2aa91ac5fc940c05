// `helm test`: every function is there, has its database, and says what it serves. A function that sleeps has a minute to wake up.
const hosts = process.env.HOSTS.split(',')
const deadline = Date.now() + 60_000

async function get(host, path) {
  const response = await fetch(`http://${host}${path}`, { signal: AbortSignal.timeout(10_000) })
  const body = await response.json()
  if (response.status !== 200) throw new Error(`${response.status} ${JSON.stringify(body)}`)
  return body
}

async function check(host) {
  for (;;) {
    try {
      const { status } = await get(host, '/health/ready')
      if (status !== 'ok') throw new Error(`/health/ready says ${status}`)
      const { paths } = await get(host, '/openapi.json')
      return `${Object.keys(paths).length} paths`
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 1_000))
    }
  }
}

const results = await Promise.allSettled(hosts.map(check))
for (const [index, { status, value, reason }] of results.entries()) {
  process.stdout.write(`${status === 'fulfilled' ? 'ok    ' : 'FAILED'} ${hosts[index]}: ${value ?? reason?.cause ?? reason}\n`)
}
process.exitCode = results.every(({ status }) => status === 'fulfilled') ? 0 : 1
