// Two replicas of `auth`: they count attempts together, and agree on who has an account.
import { randomUUID } from 'node:crypto'
import { Agent } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Session } from '../../shared/accounts/users.ts'
import { answer, elsewhere, SECRET, testEnvironment } from '../../shared/testing/context.ts'
import { type FunctionProcess, startFunction } from '../../shared/testing/process.ts'
import { startQueueProxy } from './queue-proxy.ts'
import { passOn, startProxy } from './reverse-proxy.ts'

let replicas: readonly [FunctionProcess, FunctionProcess]
let rotated: FunctionProcess
beforeAll(async () => {
  const { BETTER_AUTH_SECRET: _, ...environment } = testEnvironment()
  const secrets = { BETTER_AUTH_SECRETS: `2:a secret that came after the first,1:${SECRET}` }
  const [first, second, third] = await Promise.all([
    startFunction('auth', testEnvironment()),
    startFunction('auth', testEnvironment()),
    startFunction('auth', { ...environment, ...secrets }),
  ])
  replicas = [first, second]
  rotated = third
})
afterAll(async () => {
  await Promise.all([...replicas, rotated].map((replica) => replica.stop()))
})

const PASSWORD = 'correct horse battery'
const someone = (name = `user-${randomUUID()}`) => ({ email: `${name}@example.com`, username: name, password: PASSWORD })
const inTurn = (n: number) => (n % 2 === 0 ? replicas[0] : replicas[1])

function post({ url }: FunctionProcess, path: 'register' | 'login', body: unknown, headers: Record<string, string> = elsewhere()) {
  return fetch(`${url}/api/v1/users/${path}`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

/** The statuses of `count` concurrent requests, sent to the replicas in turn. */
async function statuses(count: number, request: (replica: FunctionProcess, n: number) => Promise<Response>) {
  const responses = await Promise.all(Array.from({ length: count }, (_, n) => request(inTurn(n), n)))
  return Object.groupBy(
    responses.map(({ status }) => status),
    String,
  )
}

describe('two replicas of auth', () => {
  it('two replicas together let exactly ten of many concurrent guesses pass', async () => {
    const { email, username } = someone()
    await post(replicas[0], 'register', { email, username, password: PASSWORD })
    const here = elsewhere()
    const guesses = await statuses(40, (replica) => post(replica, 'login', { email, password: 'a guess' }, here))
    expect(guesses).toEqual({ 401: Array(10).fill(401), 429: Array(30).fill(429) })
    for (const replica of replicas) expect((await post(replica, 'login', { email, password: PASSWORD }, here)).status).toBe(429)
    for (const replica of replicas) expect((await post(replica, 'login', { email, password: PASSWORD })).status).toBe(200)
  })

  it('two replicas let any number of successful logins pass', async () => {
    const details = someone()
    await post(replicas[0], 'register', details)
    const here = elsewhere()
    for (let round = 0; round < 6; round++) {
      const answers = await statuses(4, (replica) => post(replica, 'login', { email: details.email, password: PASSWORD }, here))
      expect(answers).toEqual({ 200: Array(4).fill(200) })
    }
  })

  it('two replicas create one account from concurrent registrations of one email address', async () => {
    const { email } = someone()
    const made = await statuses(10, (replica) => post(replica, 'register', { ...someone(), email }))
    expect(made).toEqual({ 201: [201], 409: Array(9).fill(409) })
  })

  it('two replicas count a client without a trusted hop by its connection and ignore its headers', async () => {
    const alone = await startFunction('auth', testEnvironment({ TRUSTED_PROXIES: '192.0.2.1' }))
    const { email } = someone()
    const guesses = await Promise.all(Array.from({ length: 14 }, () => post(alone, 'login', { email, password: 'a guess' })))
    expect(guesses.map(({ status }) => status).sort()).toEqual([...Array(10).fill(401), ...Array(4).fill(429)])
    await alone.stop()
  })

  it('two replicas count a client behind three proxies by the address that the first proxy saw, not by the list that it sends', async () => {
    const auth = await startFunction('auth', testEnvironment({ TRUSTED_PROXIES: 'hops:3' }))
    const queueProxy = await startQueueProxy(Number(new URL(auth.url).port))
    const agent = new Agent({ keepAlive: true })
    const activator = await startProxy((exchange) => passOn(exchange, { port: Number(new URL(queueProxy.url).port), agent }))
    const gateway = await startProxy((exchange) => passOn(exchange, { port: activator.port, agent }))
    const { email } = someone()
    const lists = Array.from({ length: 14 }, (_, n) => [`10.0.0.${n}`, `192.0.2.${n}, 10.0.0.${n}, 127.0.0.1`][n % 2] ?? '')
    const guesses = await Promise.all(
      lists.map((list) => post({ ...auth, url: gateway.url }, 'login', { email, password: 'a guess' }, { 'x-forwarded-for': list })),
    )
    expect(guesses.map(({ status }) => status).sort()).toEqual([...Array(10).fill(401), ...Array(4).fill(429)])
    for (const proxy of [gateway, activator, queueProxy]) proxy.cut()
    agent.destroy()
    await Promise.all([gateway.close(), activator.close(), queueProxy.close(), auth.stop()])
  })

  it('two replicas log neither passwords, tokens, email addresses nor the secret', async () => {
    const { email, username } = someone()
    await post(replicas[0], 'register', { email, username, password: PASSWORD })
    const { access_token } = await answer(await post(replicas[0], 'login', { email, password: PASSWORD }), Session)
    const log = JSON.stringify(replicas.map(({ lines }) => lines))
    for (const secret of [PASSWORD, access_token, email, SECRET]) expect(log).not.toContain(secret)
  })
})

it('a replica with the new secret accepts old tokens, and a replica without it rejects new ones', async () => {
  const details = someone()
  await post(rotated, 'register', details)
  const login = { email: details.email, password: PASSWORD }
  const tokens = await Promise.all([replicas[0], rotated].map(async (replica) => answer(await post(replica, 'login', login), Session)))
  const [old, fresh] = tokens.map(({ access_token }) => ({ headers: { authorization: `Bearer ${access_token}` } }))
  const status = async (replica: FunctionProcess, init = {}) => (await fetch(`${replica.url}/api/v1/validate-token`, init)).status
  expect(await Promise.all([status(rotated, old), status(rotated, fresh), status(replicas[0], old), status(replicas[0], fresh)])).toEqual([
    200, 200, 200, 401,
  ])
})
