// Who asks, from the bearer token alone (RFC 6750), and whether the path is theirs.
import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { AppError } from '../errors.ts'
import type { VerifyToken } from '../identity/issuers.ts'
import { ME, type UserContext } from '../operations/operation.ts'
import type { AppEnv } from './app.ts'
import { annotate } from './route.ts'
import { traceparentOf } from './trace.ts'

export type SignedIn = { Variables: { ctx: UserContext } }
type Deps = Pick<UserContext, 'db' | 'clock' | 'delivery' | 'quotas'> & { verifyToken: VerifyToken }

/** Refuses a request without a good token; a handler behind it finds the user's context in `c.var.ctx`. */
export function signedIn(deps: Deps) {
  return annotate(
    createMiddleware<AppEnv & SignedIn>(async (c, next) => {
      await identify(c, deps)
      await next()
    }),
    { bearer: true, errors: ['unauthenticated'] },
  )
}

/** The same, for a path that names its owner in `:user_id`: it must be the caller, by id or as `me`. */
export function owner(deps: Deps) {
  return annotate(
    createMiddleware<AppEnv & SignedIn, '/:user_id/*'>(async (c, next) => {
      const { actor } = await identify(c, deps)
      if (![ME, actor.userId].includes(c.req.param('user_id'))) throw new AppError('forbidden', 'These are not your todos.')
      await next()
    }),
    { bearer: true, errors: ['unauthenticated', 'forbidden'] },
  )
}

async function identify(c: Context<AppEnv & SignedIn>, { db, clock, delivery, quotas, verifyToken }: Deps): Promise<UserContext> {
  const token = bearerToken(c.req.header('authorization'))
  if (!token) throw new AppError('unauthenticated', 'An access token is needed: Authorization: Bearer <token>.')
  const actor = await verifyToken(token)
  const ctx = { db, clock, delivery, quotas, actor, traceparent: traceparentOf(c.get('trace')) }
  c.set('ctx', ctx)
  c.set('userId', actor.userId)
  return ctx
}

/** The token of an `Authorization` header (RFC 6750, section 2.1). */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization ?? '')?.[1]
}
