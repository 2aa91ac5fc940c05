// Takes events from the outbox to the sink: right after a change, in any replica, along with all other due events.
// A process that has nothing to deliver does nothing here: no timer runs unless an event is known to wait.
import { setImmediate } from 'node:timers/promises'
import type { Db } from '@todo/prisma'
import type { Nudge } from '../core/context.ts'
import { makeOutbox, type OutboxEvent, type Outcome, type Run } from './outbox.ts'
import type { Send } from './sink.ts'

/** Times in milliseconds. */
export const deliveryLimits = {
  /** Runs, and so deliveries, that a process has under way at once. */
  parallel: 32,
  /** Consecutive events of one subject that are delivered under one lease. A crash delivers at most so many a second time. */
  runEvents: 50,
  /** A run begins no delivery later than this after its claim. */
  runMs: 15_000,
  /** Longer than `runMs` and the last answer (10 s, shared/events/sink.ts): while a replica delivers a run, no other takes its subject. */
  lease: 30_000,
  /** The wait after a first failure. It doubles with each one that follows, up to the longest, less up to a half by chance. */
  firstWait: 1_000,
  longestWait: 10 * 60_000,
  /** Due events that could not be claimed are locked by another replica for a moment. */
  shortestWait: 50,
  /** After so many failures, over about a day, an event is given up. */
  attempts: 200,
  /** When to ask a database again that was away. */
  databaseAway: 5_000,
  /** Failures are reported at most this often, with their number. */
  reportEvery: 10_000,
  /** How long a process that ends goes on delivering. */
  drain: 5_000,
}
export type DeliveryLimits = typeof deliveryLimits

export type Tally = { sent: number; failed: number }

export type Delivery = Nudge & {
  /** Reports a new event. It is delivered once the caller has returned. Never throws. */
  nudge(): void
  /** Delivers the due events of all replicas, for at most so many milliseconds. @throws what the database throws */
  sweep(milliseconds: number): Promise<Tally>
  /** Delivers for a moment and releases the rest. Later nudges are no-ops. */
  drain(): Promise<void>
}

/** What an operator should hear of. */
export type DeliveryNews =
  | { is: 'dead'; event: OutboxEvent; reason: string }
  | { is: 'failing'; failed: number; reason: string }
  | { is: 'away'; cause: unknown }

export type DeliveryOptions = { db: Db; send: Send; report: (news: DeliveryNews) => void; limits?: DeliveryLimits }

const NOTHING = { runs: [], waiting: false, more: false }

export function makeDelivery({ db, send, report, limits = deliveryLimits }: DeliveryOptions): Delivery {
  const outbox = makeOutbox(db, limits)
  const stop = new AbortController()
  const isStopped = () => stop.signal.aborted
  let ended = false
  let nudges = 0
  /** Nudges that a claim has covered. */
  let answered = 0
  /** Resolves on a nudge or a finished delivery. */
  let stirred = Promise.withResolvers<void>()
  let running: Promise<void> | undefined
  let reminder: NodeJS.Timeout | undefined
  /** Whether an event waits that this process knows of. */
  let owes = false
  let untold = 0
  let toldAt = Number.NEGATIVE_INFINITY

  /** Keeps runs under way until nothing is left to claim. Runs that ended meanwhile are settled together. */
  async function pump(isOver: () => boolean): Promise<Tally> {
    const tally = { sent: 0, failed: 0 }
    const underWay = new Set<Promise<void>>()
    let outcomes: Outcome[] = []
    for (;;) {
      const seen = nudges
      const room = isOver() ? 0 : limits.parallel - underWay.size
      const end = performance.now() + limits.runMs
      const { runs, waiting, more } = room > 0 ? await outbox.claim(room) : NOTHING
      owes ||= waiting
      for (const run of runs) {
        const delivery = deliver(run, () => isOver() || performance.now() >= end).then((outcome) => {
          outcomes.push(outcome)
          underWay.delete(delivery)
          stir()
        })
        underWay.add(delivery)
      }
      if (room > 0) answered = Math.max(answered, seen)
      if (underWay.size === 0 && outcomes.length === 0 && !more) return tally

      if (outcomes.length === 0 && nudges === seen && !more) await stirred.promise
      const settled = outcomes
      outcomes = []
      await outbox.settle(settled)
      count(settled, tally)
    }
  }

  /** Delivers the events of a run in order. The first one that has to be tried again ends it; so does `isOver`, before the next delivery. */
  async function deliver(run: Run, isOver: () => boolean): Promise<Outcome> {
    const delivered: OutboxEvent[] = []
    const dead: { event: OutboxEvent; reason: string }[] = []
    for (const [index, event] of run.events.entries()) {
      if (index > 0 && isOver()) break
      const verdict = await send(event, stop.signal)
      if (verdict.is === 'delivered') delivered.push(event)
      else if (verdict.is === 'later' && isStopped()) break
      else if (verdict.is === 'refused' || event.attempts + 1 >= limits.attempts) dead.push({ event, reason: verdict.reason })
      else return { run, delivered, dead, next: { type: 'postponed', delayMs: backoff(event, verdict.after), reason: verdict.reason } }
    }
    return { run, delivered, dead, next: { type: 'due' } }
  }

  /** Milliseconds: at least what the sink asked for. */
  function backoff({ attempts }: OutboxEvent, after = 0): number {
    return Math.max(after, Math.min(limits.firstWait * 2 ** attempts, limits.longestWait) * (1 - Math.random() / 2))
  }

  function count(settled: readonly Outcome[], tally: Tally): void {
    const dead = settled.flatMap((outcome) => outcome.dead)
    const postponed = settled.flatMap(({ next }) => (next.type === 'postponed' ? [next] : []))
    tally.sent += settled.reduce((sum, { delivered }) => sum + delivered.length, 0)
    tally.failed += postponed.length + dead.length
    if (postponed[0]) {
      owes = true
      untold += postponed.length
      if (performance.now() - toldAt >= limits.reportEvery) {
        report({ is: 'failing', failed: untold, reason: postponed[0].reason })
        untold = 0
        toldAt = performance.now()
      }
    }
    for (const { event, reason } of dead) report({ is: 'dead', event, reason })
  }

  /** Answers nudges until there are none, then sees to it that what waits is remembered. */
  async function run(): Promise<void> {
    try {
      // The request that made the change is answered first.
      await setImmediate()
      do await pump(isStopped)
      while (answered < nudges && !isStopped())
      remindIn(owes ? await outbox.untilNext() : undefined)
    } catch (cause) {
      answered = nudges
      report({ is: 'away', cause })
      remindIn(limits.databaseAway)
    }
  }

  function remindIn(milliseconds: number | undefined): void {
    clearTimeout(reminder)
    owes = milliseconds !== undefined
    if (!ended && milliseconds !== undefined) reminder = setTimeout(nudge, Math.max(milliseconds, limits.shortestWait)).unref()
  }

  function start(): void {
    running ??= run().finally(() => {
      running = undefined
      if (answered < nudges && !isStopped()) start()
    })
  }

  function nudge(): void {
    if (ended) return
    nudges++
    stir()
    start()
  }

  function stir(): void {
    stirred.resolve()
    stirred = Promise.withResolvers()
  }

  return {
    nudge,
    sweep(milliseconds) {
      const end = performance.now() + milliseconds
      return pump(() => isStopped() || performance.now() >= end)
    },
    async drain() {
      ended = true
      clearTimeout(reminder)
      const late = setTimeout(() => stop.abort(), limits.drain)
      while (running) await running
      clearTimeout(late)
    },
  }
}
