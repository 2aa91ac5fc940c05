// Checks the origin of MCP requests. CORS does not cover WebSockets, and a page that rebinds its DNS name to this machine is same-origin
// to the browser, so the server checks `Origin` and `Host` itself.
import { AppError } from '../../shared/core/errors.ts'
import { type CorsOrigins, isAllowed } from '../../shared/http/headers.ts'

type Headers = { origin: string | undefined; host: string | undefined }
type Own = { corsOrigins: CorsOrigins; ownMachine?: boolean | undefined; publicUrl?: string | undefined }

/**
 * Rejects origins that are not allowed; a client without `Origin` is not a browser. A loopback server also checks `Host` (DNS rebinding):
 * loopback names or PUBLIC_URL only.
 * @throws AppError `forbidden`
 */
export function assertOrigin({ origin, host = '' }: Headers, { corsOrigins, ownMachine, publicUrl }: Own): void {
  if (origin !== undefined && !isAllowed(origin, corsOrigins)) throw new AppError('forbidden', 'Pages of this origin may not call.')
  if (!ownMachine) return
  const isPublic = publicUrl !== undefined && host === new URL(publicUrl).host
  if (!isPublic && !isAllowed(`http://${host}`, ['loopback'])) throw new AppError('forbidden', 'This Host is not allowed.')
}
