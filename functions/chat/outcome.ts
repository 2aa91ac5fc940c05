// A call with an unknown outcome: the connection was lost or the time was up after its statement had been sent.
import type { StoredCall } from '../../shared/conversations/conversations.ts'

/** The result of such a call, for users and models alike. */
export const UNKNOWN_OUTCOME = {
  error: 'Interrupted: it is not known whether this was done. Look it up before you try again.',
  outcome: 'unknown',
} as const

export function isUnknown({ result }: Pick<StoredCall, 'result'>): boolean {
  return result !== null && typeof result === 'object' && 'outcome' in result && result.outcome === 'unknown'
}
