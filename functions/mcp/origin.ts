// Whose pages may speak MCP here. A browser lets any page open a socket to any address, and a page that has rebound its own name to this
// machine may even read the answers: CORS stops neither, so the server looks for itself.
import { AppError } from '../../shared/core/errors.ts'
import { type CorsOrigins, isAllowed } from '../../shared/http/headers.ts'

type Headers = { origin: string | undefined; host: string | undefined }
type Own = { corsOrigins: CorsOrigins; ownMachine?: boolean | undefined; publicUrl?: string | undefined }

/**
 * Refuses a page of an origin that may not call; clients that are no browsers send none. A server that is somebody's own is asked by a name of
 * that machine or by the public one.
 * @throws AppError `forbidden`
 */
export function assertOrigin({ origin, host = '' }: Headers, { corsOrigins, ownMachine, publicUrl }: Own): void {
  if (origin !== undefined && !isAllowed(origin, corsOrigins)) throw new AppError('forbidden', 'Pages of this origin may not call.')
  if (!ownMachine) return
  const isPublic = publicUrl !== undefined && host === new URL(publicUrl).host
  if (!isPublic && !isAllowed(`http://${host}`, ['loopback'])) throw new AppError('forbidden', 'This server is not asked by that name.')
}
