// What open MCP sockets cost, and how long a call takes while some of them are busy.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { memoryOf } from '../../shared/testing/process-usage.ts'
import type { World } from '../_build/world.ts'
import { bundle, startProcess } from './processes.ts'
import type { Row } from './report.ts'
import { quantile } from './statistics.ts'

const OPEN = 500
const ACTIVE = 100
/** Sockets of one user, which a process bounds. */
const PER_USER = 20

export async function mcpSockets(world: World, { short }: { short: boolean }): Promise<Row[]> {
  const seconds = short ? 4 : 20
  const users = await Promise.all(Array.from({ length: OPEN / PER_USER }, () => world.newUser()))
  const warm = await world.newUser()
  for (const user of [warm, ...users]) await world.addTodos(user, 20)
  const { kill, pid, url } = await startProcess(bundle('mcp'), world.environment)
  const address = `${url.replace('http', 'ws')}/api/v1/mcp`
  try {
    // The first connection loads the SDK: that is paid once, not a connection.
    const first = await connect(address, warm.authorization)
    await call(first, 0)
    const before = await residentOf(pid)
    const sockets: WebSocket[] = []
    for (const { authorization } of users)
      sockets.push(...(await Promise.all(Array.from({ length: PER_USER }, () => connect(address, authorization)))))
    await sleep(1_000)
    const idle = (await residentOf(pid)) - before

    const paced = (await Promise.all(sockets.slice(0, ACTIVE).map((socket) => callOnceASecond(socket, seconds)))).flat()
    const [alone] = sockets
    const flat = alone ? await callWithoutPause(alone, seconds / 2) : []
    for (const socket of [first, ...sockets]) socket.terminate()
    return [
      {
        what: `mcp, ${OPEN} idle sockets`,
        ratio: idle / 60,
        against: '60 MB',
        figures: `${idle.toFixed(0)} MB, ${((idle / OPEN) * 1024).toFixed(0)} KB each`,
      },
      {
        what: `mcp, a call on ${ACTIVE} active of ${OPEN} open sockets`,
        ratio: quantile(paced, 0.99) / 50,
        against: 'p99 of 50 ms',
        figures: `p50 ${quantile(paced, 0.5).toFixed(1)} ms, p99 ${quantile(paced, 0.99).toFixed(1)} ms, one call a second each`,
      },
      {
        what: 'mcp, calls on one socket',
        figures: `${((flat.length * 1000) / flat.reduce((sum, ms) => sum + ms, 0)).toFixed(0)} a second, p99 ${quantile(flat, 0.99).toFixed(1)} ms`,
      },
    ]
  } finally {
    await kill('SIGTERM')
  }
}

const residentOf = async (pid: number) => (await memoryOf(pid)).rss

async function connect(address: string, authorization: string): Promise<WebSocket> {
  const socket = new WebSocket(address, ['mcp'], { headers: { authorization } })
  await once(socket, 'open')
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'bench', version: '1' } }
  socket.send(JSON.stringify({ jsonrpc: '2.0', id: 'start', method: 'initialize', params }))
  await once(socket, 'message')
  socket.send(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }))
  return socket
}

/** Lists 20 todos. Milliseconds. @throws Error when that is not the answer */
async function call(socket: WebSocket, id: number): Promise<number> {
  const begun = performance.now()
  socket.send(JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'list_tasks', arguments: {} } }))
  const [answer] = await once(socket, 'message')
  const milliseconds = performance.now() - begun
  const text = String(answer)
  if (!text.includes(`"id":${id}`) || !text.includes('"structuredContent"')) throw new Error(`list_tasks answers ${text}`)
  return milliseconds
}

async function callOnceASecond(socket: WebSocket, seconds: number): Promise<number[]> {
  const times: number[] = []
  await sleep(Math.random() * 1_000)
  for (let id = 1; id <= seconds; id++) {
    const ms = await call(socket, id)
    times.push(ms)
    await sleep(Math.max(0, 1_000 - ms))
  }
  return times
}

async function callWithoutPause(socket: WebSocket, seconds: number): Promise<number[]> {
  const times: number[] = []
  for (const until = performance.now() + seconds * 1_000; performance.now() < until; ) times.push(await call(socket, times.length + 1_000))
  return times
}
