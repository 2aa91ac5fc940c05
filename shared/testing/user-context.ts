// The context in which a face calls an operation for a user. Without Vitest, so that the bench has the same.
import type { UserContext } from '../core/context.ts'
import type { Deps } from '../runtime/deps.ts'

type ContextDeps = Pick<Deps, 'db' | 'clock' | 'delivery' | 'quotas'>

/** The context of a user whose token is good for another minute and may write. */
export function contextOf(
  { db, clock: ownClock, delivery, quotas }: ContextDeps,
  user: { id: string; email: string },
  clock = ownClock,
): UserContext {
  const expiresAt = new Date(Date.now() + 60_000)
  const actor = { userId: user.id, issuer: null, email: user.email, name: null, expiresAt, readOnly: false }
  return { db, clock, delivery, quotas, actor }
}
