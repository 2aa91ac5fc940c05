// `npm start`: one process with every function, started, killed and started again.
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { demo } from '@todo/prisma/seed'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { Session } from '../../shared/accounts/users.ts'
import { answer } from '../../shared/testing/context.ts'
import { startServer } from '../../shared/testing/http-server.ts'
import { startScript } from '../../shared/testing/process.ts'
import { Todo, TodoPage } from '../../shared/todos/schema.ts'

const LOCAL = path.join(import.meta.dirname, '..', 'local', 'main.ts')
let home: string
beforeAll(async () => {
  home = await fs.mkdtemp(path.join(os.tmpdir(), 'todo-local-'))
  await fs.chmod(home, 0o711)
})
afterAll(() => fs.rm(home, { recursive: true, force: true }))

/** Starts it on a free port, with its data in a folder of the test's own; resolves when it greets, or when it has ended instead. */
async function start(environment: Record<string, string> = {}) {
  const child = startScript(LOCAL, { DATA_DIRECTORY: path.join(home, 'data'), PORT: '0', ...environment })
  await child.line(/Ctrl-C stops it\./).catch(() => {})
  return { ...child, url: /API +(http:\S+)\/api\/v1/.exec(child.output())?.[1] }
}

async function signIn(url: string | undefined) {
  const { email, password } = demo
  const headers = { 'content-type': 'application/json' }
  const login = await fetch(`${url}/api/v1/users/login`, { method: 'POST', headers, body: JSON.stringify({ email, password }) })
  const { access_token, user } = await answer(login, Session)
  return { base: `${url}/api/v1/${user.id}/todos`, headers: { ...headers, authorization: `Bearer ${access_token}` } }
}

describe('npm start', () => {
  it('npm start prints its addresses, serves every function, keeps committed rows through kill -9, and stops on a signal', async () => {
    const first = await start()
    expect(first.output()).toMatch(/Initialising[\s\S]*Migrated[\s\S]*is running[\s\S]*demo@example\.com/)
    const { base, headers } = await signIn(first.url)
    for (const address of ['/', '/docs', '/docs/swagger-ui-bundle.js', '/openapi.json', '/health/ready'])
      expect((await fetch(first.url + address)).status).toBe(200)

    // The same folder twice at once, on the same port too.
    const { port } = new URL(first.url ?? '')
    for (const PORT of ['0', port]) {
      expect(await (await start({ PORT })).ended).toMatchObject({
        code: 1,
        output: `${path.join(home, 'data', 'postgres')} is in use (process ${first.pid}, http://localhost:${port}): use that one, stop it, or choose another folder with DATA_DIRECTORY\n`,
      })
    }

    const writes = Array.from({ length: 20 }, async (_, n) => {
      const response = await fetch(base, { method: 'POST', headers, body: JSON.stringify({ title: `todo ${n}` }) })
      return (await answer(response, Todo)).id
    })
    const committed = await Promise.all(writes)
    await first.kill('SIGKILL')

    const third = await start()
    expect(third.output()).not.toMatch(/Initialising|Migrated/)
    // The token is still good: the secret has outlived the process.
    const list = await fetch(base.replace(first.url ?? '', third.url ?? ''), { headers })
    const kept = new Set((await answer(list, TodoPage)).todos.map(({ id }) => id))
    for (const id of committed) expect(kept).toContain(id)
    expect(await third.kill('SIGINT')).toMatchObject({ code: 0, output: expect.stringContaining('Stopping') })
    await expect(fetch(`${third.url}/health/live`)).rejects.toThrow()
  })

  it('npm start names the variable, port, folder or database that it cannot use in one line', async () => {
    const oneLine = async (environment: Record<string, string>) => {
      const { code, output } = await (await start(environment)).ended
      expect(code).toBe(1)
      return output
    }
    const { port, stop } = await startServer()
    const file = path.join(home, 'file')
    await fs.writeFile(file, '')
    const { href } = Object.assign(new URL(inject('databaseUrl')), { pathname: '/nowhere' })
    const DATA_DIRECTORY = path.join(home, 'unused')
    const [variable, url, taken, folder, nowhere, both] = await Promise.all([
      oneLine({ PORT: 'garbage' }),
      oneLine({ DATABASE_URL: 'nonsense' }),
      oneLine({ PORT: String(port) }),
      oneLine({ DATA_DIRECTORY: file }),
      oneLine({ DATABASE_URL: href, DATA_DIRECTORY }),
      oneLine({ DATABASE_URL: href, DATA_DIRECTORY: file }),
    ])
    await stop()
    expect(variable).toMatch(/^PORT: [^\n]+\n$/)
    expect(url).toMatch(/^DATABASE_URL: [^\n]+\n$/)
    expect(taken).toMatch(new RegExp(`^PORT: ${port} is already in use[^\\n]*PORT=[^\\n]*\\n$`))
    expect(folder).toBe(`DATA_DIRECTORY: ${file} is no folder\n`)
    expect(nowhere).toMatch(/^DATABASE_URL: [^\n]*"nowhere" does not exist[^\n]*\n$/)
    expect(both).toBe(`DATA_DIRECTORY: ${file} is no folder\n`)
  })
})
