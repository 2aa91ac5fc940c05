// From the environment to what the apps are built of: written once, for every `main.ts` and for `local.ts`.
import { createDb } from '@todo/prisma'
import { databaseOptions, type Env, foreignIssuer, ownIssuer } from './env.ts'
import type { AppDeps } from './http/app.ts'
import { jsonLog, type Log } from './http/log.ts'
import { makeTokenVerifier, type VerifyToken } from './identity/issuers.ts'

export type Deps = AppDeps & { verifyToken: VerifyToken }

/** What every function needs. Opens no connection yet. @throws EnvError, or Error when the database URL may not be used */
export function makeDeps(env: Env, log: Log = jsonLog): Deps {
  const clock = () => new Date()
  return {
    db: createDb(databaseOptions(env)),
    clock,
    log,
    corsOrigins: env.CORS_ORIGINS,
    verifyToken: makeTokenVerifier(ownIssuer(env), foreignIssuer(env), clock),
  }
}
