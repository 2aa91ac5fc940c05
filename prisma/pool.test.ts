// Connections that a network or a failover has made useless: how soon the pool is without them.

import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { createDb, type Db, databaseFailure, sql } from './index.ts'
import { newDatabase, run } from './testing.ts'
import { startNetwork } from './testing-network.ts'

/** Without a look into dead connections it takes the 12 seconds of a statement; with it, less than three on a machine that is not busy. */
const RECOVERY_MS = 6_000

function newDb(url: string, poolSize = 4) {
  const errors: Error[] = []
  const db = createDb({ url, poolSize, onConnectionError: (error) => errors.push(error) })
  onTestFinished(() => db.close())
  return { db, errors }
}

async function newNetwork() {
  const network = await startNetwork(inject('databaseUrl'))
  onTestFinished(() => network.close())
  return network
}

const Pid = z.strictObject({ pid: z.int() })
const pidOf = async (db: Db) => (await db.query(sql`SELECT pg_backend_pid() AS pid`, Pid))[0]?.pid
/** Occupies two connections at once. */
const twoPids = async (db: Db) => {
  const both = [1, 2].map(() => db.query(sql`SELECT pg_backend_pid() AS pid FROM pg_sleep(0.2)`, Pid))
  return (await Promise.all(both)).flat().map(({ pid }) => pid)
}

/** Asks again and again, as callers do, until it is stopped: when each request failed or did not. */
async function keepAsking(db: Db) {
  const model = await db.prisma()
  const outcomes: { at: number; failed: boolean }[] = []
  let stopped = false
  const ask = async (n: number) => {
    for (; !stopped; await sleep(20 + n)) {
      const failed = await (n % 2
        ? db.execute(sql`SELECT 1`)
        : model.$transaction([model.$queryRaw`SELECT 1`, model.$queryRaw`SELECT 2`])
      ).then(
        () => false,
        (error) => databaseFailure(error)?.kind === 'unavailable' || expect.fail(`not recognised: ${error}`),
      )
      outcomes.push({ at: Date.now(), failed })
    }
  }
  const asking = Promise.all(Array.from({ length: 8 }, (_, n) => ask(n)))
  return {
    outcomes,
    async stop() {
      stopped = true
      await asking
    },
  }
}

describe('after a black hole', () => {
  it.each([1_000, 4_000])('of %d ms requests succeed soon, and none fails any more, though no old connection ever answers', async (ms) => {
    const network = await newNetwork()
    const { db } = newDb(network.url)
    const { outcomes, stop } = await keepAsking(db)
    await expect.poll(() => outcomes.length).toBeGreaterThan(20)
    network.fallSilent()
    await sleep(ms)
    const back = Date.now()
    network.comeBack()
    await sleep(RECOVERY_MS + 2_000)
    await stop()
    const after = outcomes.filter(({ at }) => at > back)
    const firstSuccess = after.find(({ failed }) => !failed)
    const lastFailure = after.findLast(({ failed }) => failed)
    expect((firstSuccess?.at ?? Number.POSITIVE_INFINITY) - back).toBeLessThan(RECOVERY_MS)
    expect((lastFailure?.at ?? back) - back).toBeLessThan(RECOVERY_MS)
  })

  it('whose connections live on, a statement that waited in it succeeds', async () => {
    const network = await newNetwork()
    const { db, errors } = newDb(network.url)
    const pid = await pidOf(db)
    network.fallSilent()
    const waiting = pidOf(db)
    await sleep(2_500)
    network.comeBack({ resume: true })
    expect(await waiting).toBe(pid)
    expect(errors).toEqual([])
  })

  it('an idle connection that is dead costs the first request, and no other', async () => {
    const network = await newNetwork()
    const { db, errors } = newDb(network.url)
    await Promise.all(Array.from({ length: 4 }, () => db.query(sql`SELECT pg_sleep(0.1)::text`, z.unknown())))
    network.fallSilent()
    network.comeBack()
    const error = await pidOf(db).catch((reason) => reason)
    expect(databaseFailure(error)).toEqual({ kind: 'unavailable' })
    expect(errors.map(({ name }) => name)).toEqual(['DeadConnectionError'])
    for (let n = 0; n < 8; n++) await pidOf(db)
  })
})

it('leaves a statement alone that the server works on, however quiet its connection is', async () => {
  const { db, errors } = newDb(inject('databaseUrl'))
  const model = await db.prisma()
  const slow = [db.execute(sql`SELECT pg_sleep(3.5)`), model.$transaction([model.$queryRaw`SELECT pg_sleep(3.5)::text`])]
  await Promise.all(slow)
  expect(errors).toEqual([])
})

it('leaves a transaction alone whose caller is slow', async () => {
  const { db, errors } = newDb(inject('databaseUrl'))
  const pids = await (await db.prisma()).$transaction(async (tx) => {
    const before = await tx.$queryRaw`SELECT pg_backend_pid() AS pid`
    await sleep(3_000)
    return [before, await tx.$queryRaw`SELECT pg_backend_pid() AS pid`]
  })
  expect(pids[0]).toEqual(pids[1])
  expect(errors).toEqual([])
})

describe('a server that has become read-only', () => {
  async function readOnly() {
    const { url, drop } = await newDatabase(inject('databaseUrl'))
    onTestFinished(async () => void (await drop()))
    await run(url, 'CREATE TABLE words (word text)')
    const { db } = newDb(url, 2)
    // Both connections are the demoted server's; a new one is the new primary's.
    const old = await twoPids(db)
    await Promise.all([1, 2].map(() => db.execute(sql`SELECT set_config('default_transaction_read_only', 'on', false), pg_sleep(0.2)`)))
    return { db, old }
  }
  const write = (db: Db) => db.execute(sql`INSERT INTO words VALUES ('x')`)

  it.each([
    ['a statement', write],
    ['a transaction', async (db: Db) => (await db.prisma()).$transaction((tx) => tx.$executeRaw`INSERT INTO words VALUES ('x')`)],
  ])('counts as unavailable for %s, and the next ones reach another server, on every connection', async (_, work) => {
    const { db, old } = await readOnly()
    const error = await work(db).catch((reason) => reason)
    expect(databaseFailure(error)).toEqual({ kind: 'unavailable' })
    for (const pid of await twoPids(db)) expect(old).not.toContain(pid)
    await work(db)
  })
})

it('reports a connection that breaks while it is idle', async () => {
  const { db, errors } = newDb(inject('databaseUrl'), 1)
  const pid = await pidOf(db)
  await run(inject('databaseUrl'), 'SELECT pg_terminate_backend($1, 5000)', [pid])
  await expect.poll(() => errors.length).toBeGreaterThan(0)
  expect(await pidOf(db)).not.toBe(pid)
})
