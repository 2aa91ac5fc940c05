// Node's request and response objects, which the adaptor passes in the app's environment. In-process requests have neither, and an upgrade
// to a WebSocket has no response.
import { IncomingMessage, ServerResponse } from 'node:http'

type Bindings = { incoming?: unknown; outgoing?: unknown } | undefined

export const incomingOf = (env: Bindings): IncomingMessage | undefined =>
  env?.incoming instanceof IncomingMessage ? env.incoming : undefined

export const outgoingOf = (env: Bindings): ServerResponse | undefined =>
  env?.outgoing instanceof ServerResponse ? env.outgoing : undefined
