// `helm test`: every function answers /health/ready and serves its API description. A cold start may take up to a minute.
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
      if (status !== 'ok') throw new Error(`/health/ready answered ${status}`)
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
