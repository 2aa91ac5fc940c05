// The MCP function as a process: the official conformance suite, its end, and when it loads the SDK.
import fs from 'node:fs/promises'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { serve } from '../../shared/runtime/serve.ts'
import { newUser, testDeps, testEnvironment } from '../../shared/testing/context.ts'
import { startFunction, startScript } from '../../shared/testing/process.ts'
import { localApp } from '../local/main.ts'
import { openSocket } from '../mcp/testing.ts'

const world = testDeps()
afterAll(() => world.deps.db.close())

const start = (environment: Record<string, string> = {}) => startFunction('mcp', testEnvironment(environment))
const socketUrl = (url: string) => `${url.replace('http', 'ws')}/api/v1/mcp`

async function runSuite(url: string, token: string, results: string) {
  const suite = path.join(path.dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json')), 'dist')
  const baseline = path.join(import.meta.dirname, 'conformance.yaml')
  const index = path.join(suite, 'index.js')
  const environment = { MCP_TOKEN: token, NODE_OPTIONS: `--import ${path.join(import.meta.dirname, 'bearer.mjs')}` }
  return startScript(index, environment, [], ['server', '--url', url, '--suite', 'all', '--expected-failures', baseline, '-o', results])
    .ended
}

describe.concurrent('the process of the MCP function', () => {
  it('passes the official conformance suite, except for the scenarios that conformance.yaml explains', async () => {
    const { url, stop } = await start({ CORS_ORIGINS: 'loopback' })
    const { token } = await newUser(world)
    const results = await fs.mkdtemp(path.join(os.tmpdir(), 'todo-conformance-'))
    try {
      const { code, output } = await runSuite(`${url}/api/v1/mcp`, token, results)
      for (const scenario of ['server-initialize', 'ping', 'tools-list', 'resources-list', 'prompts-list', 'dns-rebinding-protection'])
        expect(output).toContain(`✓ ${scenario}: `)
      expect(code, output).toBe(0)
    } finally {
      await fs.rm(results, { recursive: true, force: true })
      await stop()
    }
  })

  it('ends with status 0 on SIGTERM, and closes its sockets with 1001 (going away)', async () => {
    const { url, stop, lines } = await start()
    const user = await newUser(world)
    const { opened, closed, ask } = openSocket(socketUrl(url), { headers: user.headers })
    await opened
    expect(await ask(1, 'tools/list')).toMatchObject({ id: 1 })
    await stop()
    expect((await closed).code).toBe(1001)
    expect(lines.find(({ message }) => message === 'disconnected')).toMatchObject({ code: 1001, user_id: user.id })
  })

  it('closes a socket with 1001 after MCP_MAX_CONNECTION_SECONDS', async () => {
    const { url, stop } = await start({ MCP_MAX_CONNECTION_SECONDS: '1' })
    const { opened, closed } = openSocket(socketUrl(url), { headers: (await newUser(world)).headers })
    await opened
    expect(await closed).toEqual({ code: 1001, reason: 'this connection is old; connect again' })
    await stop()
  })

  it('loads the MCP SDK for the first request that needs it, not at the start', async ({ expect }) => {
    const tell = `
      import { registerHooks } from 'node:module'
      registerHooks({ resolve(name, context, next) {
        if (/^(ws|@modelcontextprotocol\\/.*)$/.test(name)) console.log(JSON.stringify({ message: 'loaded', name }))
        return next(name, context)
      } })`
    const { url, stop, lines } = await start({ NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(tell)}` })
    const loaded = () => lines.filter(({ message }) => message === 'loaded')
    expect((await fetch(`${url}/health/ready`)).status).toBe(200)
    expect(loaded()).toEqual([])
    const { headers } = await newUser(world)
    const answer = await fetch(`${url}/api/v1/mcp`, { method: 'POST', headers, body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' })
    expect(answer.status).toBe(406)
    await expect.poll(() => loaded().length).toBeGreaterThan(0)
    await stop()
  })
})

describe('the socket', () => {
  it('serves MCP sockets on the one port of `npm start`', async () => {
    const { app, sockets } = localApp(world.env, world.deps)
    const serving = await serve(app, { port: 0, host: '127.0.0.1', sockets })
    const { headers } = await newUser(world)
    const { opened, ask, closed } = openSocket(`ws://127.0.0.1:${serving.port}/api/v1/mcp`, { headers })
    await opened
    expect(await ask(1, 'ping')).toMatchObject({ id: 1, result: {} })
    await serving.drain({ lameDuck: 0 })
    expect((await closed).code).toBe(1001)
  })
})
