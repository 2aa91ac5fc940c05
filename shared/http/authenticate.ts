// Identifies the caller by the bearer token (RFC 6750), checks that the path is the caller's, and gives each user a bounded share of the
// process.
import type { Context, Next } from 'hono'
import { createMiddleware } from 'hono/factory'
import { ME } from '../core/actor.ts'
import type { UserContext } from '../core/context.ts'
import { AppError } from '../core/errors.ts'
import type { VerifyToken } from '../identity/issuers.ts'
import { annotate } from '../openapi/route.ts'
import { slotOf } from './admission.ts'
import { outgoingOf } from './node-env.ts'
import { traceparentOf } from './trace.ts'
import type { AppEnv } from './types.ts'
import type { UserLanes } from './user-lanes.ts'

export type SignedIn = { Variables: { ctx: UserContext } }
type Deps = Pick<UserContext, 'db' | 'clock' | 'delivery' | 'quotas'> & { verifyToken: VerifyToken; lanes: UserLanes }

/**
 * Rejects requests without a valid token, and requests of a user with too many running. The handler gets the user's context from
 * `c.var.ctx`.
 */
export function signedIn(deps: Deps) {
  return annotate(
    createMiddleware<AppEnv & SignedIn>(async (c, next) => {
      const { actor } = await identify(c, deps)
      await inLane(c, deps.lanes, actor.userId, next)
    }),
    { bearer: true, errors: ['unauthenticated', 'throttled'] },
  )
}

/** Like `signedIn`, for paths with `:user_id`, which must be the caller's id or `me`. */
export function owner(deps: Deps) {
  return annotate(
    createMiddleware<AppEnv & SignedIn, '/:user_id/*'>(async (c, next) => {
      const { actor } = await identify(c, deps)
      if (![ME, actor.userId].includes(c.req.param('user_id'))) throw new AppError('forbidden', 'These are not your todos.')
      await inLane(c, deps.lanes, actor.userId, next)
    }),
    { bearer: true, errors: ['unauthenticated', 'forbidden', 'throttled'] },
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

/** Holds a place in the user's lane until the handler has returned and the response has ended. */
async function inLane(c: Context, lanes: UserLanes, userId: string, next: Next): Promise<void> {
  const { signal } = c.req.raw
  const waits = lanes.isFull(userId)
  const entering = lanes.enter(userId, signal).catch((error) => {
    if (!signal.aborted) throw error
    throw new AppError('throttled', 'The connection was closed while the request waited for others of its user.', { cause: error })
  })
  const leave = await (waits ? slotOf(c).aside(entering, (leave) => leave()) : entering)
  try {
    await next()
  } finally {
    const response = outgoingOf(c.env)
    if (response === undefined || response.closed) leave()
    // A streaming body is part of the request: its client may be slow, or never end it.
    else response.once('close', leave)
  }
}

/** The token of an `Authorization` header (RFC 6750, section 2.1). */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization ?? '')?.[1]
}
