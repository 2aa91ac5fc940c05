// The base of tests: the real database, signed tokens, a fresh user each. No mocks.
import { randomBytes, randomUUID } from 'node:crypto'
import { sql } from '@todo/prisma'
import { v7 as uuidv7 } from 'uuid'
import { inject } from 'vitest'
import type { z } from 'zod'
import type { LogFields } from '../core/log.ts'
import { createTokenIssuer } from '../identity/tokens.ts'
import { createDeps, type Deps } from '../runtime/deps.ts'
import { type Env, ownIssuer, readEnv } from '../runtime/env.ts'

export { contextOf } from './user-context.ts'

declare module 'vitest' {
  interface ProvidedContext {
    databaseUrl: string
  }
}

export const SECRET = 'a secret that only the tests know: 0123456789'

/** The environment of the tests' processes and apps. */
export function testEnvironment(overrides: Record<string, string> = {}): Record<string, string> {
  return {
    DATABASE_URL: inject('databaseUrl'),
    BETTER_AUTH_SECRET: SECRET,
    CORS_ORIGINS: 'https://app.example.com',
    DATABASE_POOL_SIZE: '4',
    // A busy machine must not refuse a test's requests: tests of overload set their own.
    MAX_WAIT_MS: '30000',
    // Lets a test choose its client address: see `elsewhere`.
    TRUSTED_PROXIES: 'loopback',
    PORT: '0',
    HOST: '127.0.0.1',
    ...overrides,
  }
}

/** Headers of a client at a fresh address, so that attempts to register or log in are counted apart from other tests'. */
export function elsewhere() {
  const groups = randomBytes(4).toString('hex').match(/.{4}/g) ?? []
  return { 'x-forwarded-for': `2001:db8:${groups.join(':')}::1` }
}

export type LogLine = { level: string; message: string; fields: LogFields }

/** Dependencies for apps called in process; `lines` collects what they log. */
export function testDeps(overrides: Record<string, string> = {}) {
  const env: Env = readEnv(testEnvironment(overrides))
  const lines: LogLine[] = []
  const deps: Deps = createDeps(env, (level, message, fields = {}) => lines.push({ level, message, fields }), { checkRows: true })
  return { env, lines, deps, issueToken: createTokenIssuer(ownIssuer(env), deps.clock) }
}

export type TestUser = { id: string; email: string; username: string; token: string; headers: { authorization: string } }

/** A fresh account, with a token that is valid for half an hour. */
export async function newUser({ deps, issueToken }: Pick<ReturnType<typeof testDeps>, 'deps' | 'issueToken'>): Promise<TestUser> {
  const id = uuidv7()
  const username = `user-${randomUUID()}`
  const email = `${username}@example.com`
  await deps.db.execute(sql`
    INSERT INTO users (id, email, username, username_key, password_hash)
    VALUES (${id}, ${email}, ${username}, ${username}, 'none: this user never logs in')`)
  const { token } = await issueToken({ id, email })
  return { id, email, username, token, headers: { authorization: `Bearer ${token}` } }
}

/** A response's body, parsed by its schema. */
export async function answer<S extends z.ZodType>(response: Response, schema: S): Promise<z.output<S>> {
  return schema.parse(await response.json())
}
