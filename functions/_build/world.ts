// The set-up of the bench and of the code cache: a durable PostgreSQL of its own, and users with tokens.

import { randomBytes } from 'node:crypto'
import { createDb, sql } from '@todo/prisma'
import { startTemporary } from '@todo/prisma/embedded'
import { migrate } from '@todo/prisma/migrate'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import type { Quotas } from '../../shared/core/context.ts'
import { createTokenIssuer } from '../../shared/identity/tokens.ts'
import { ownIssuer, readEnv } from '../../shared/runtime/env.ts'
import { createPasswords } from '../auth/passwords.ts'

export type World = Awaited<ReturnType<typeof makeWorld>>
export type User = { id: string; email: string; authorization: string }

/** Every user's. */
export const PASSWORD = 'correct horse battery'

const clock = () => new Date()
// One user does here what thousands would do.
const NO_QUOTAS: Quotas = { openTodos: 1_000_000_000, conversations: 1_000_000_000 }

export async function makeWorld() {
  const server = await startTemporary({ durable: true })
  const url = await server.database('todo')
  await migrate({ url })
  const environment = {
    DATABASE_URL: url,
    BETTER_AUTH_SECRET: randomBytes(32).toString('hex'),
    TOKEN_LIFETIME_SECONDS: '86400',
    // One user does here what thousands would do.
    USER_MAX_OPEN_TODOS: '999999999',
    USER_MAX_CONVERSATIONS: '999999999',
    CHAT_MESSAGES_PER_MINUTE: '1000000',
    MCP_TICKETS_PER_MINUTE: '1000000',
    PORT: '0',
    HOST: '127.0.0.1',
  }
  const db = createDb({ url })
  const issueToken = createTokenIssuer(ownIssuer(readEnv(environment)), clock)
  const passwordHash = await createPasswords().hash(PASSWORD)
  return {
    db,
    /** The dependencies of operations that run in this process. */
    deps: { db, clock, delivery: undefined, quotas: NO_QUOTAS },
    environment,
    async newUser(): Promise<User> {
      const id = uuidv7()
      const email = `${id}@example.com`
      await (await db.prisma()).user.create({ data: { id, email, username: id, usernameKey: id, passwordHash } })
      const { token } = await issueToken({ id, email })
      return { id, email, authorization: `Bearer ${token}` }
    },
    /** Adds plain todos, a second apart, the latest last. Answers their ids. */
    async addTodos(user: User, count: number): Promise<string[]> {
      const rows = await db.query(
        sql`
        INSERT INTO todos (id, user_id, title, tags, priority, created_at, updated_at)
        SELECT uuidv7(age), ${user.id}, 'Todo ' || n, ARRAY['bench'], n % 4, now() + age, now() + age
        FROM generate_series(1, ${count}::int) AS n, LATERAL (SELECT (n - ${count}::int) * interval '1 second' AS age) AS made
        RETURNING id`,
        z.object({ id: z.string() }),
      )
      return rows.map(({ id }) => id)
    },
    async stop() {
      await db.close()
      await server.stop()
    },
  }
}
