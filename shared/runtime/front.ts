// Runs before the app: it answers 503 to requests that could not start in time, and to readiness checks while the process drains.
// A rejection uses neither the app nor the adaptor's Request and Response, so that it costs a fraction of a response.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import { type Admission, keepSlot, overloaded, Slot } from '../http/admission.ts'
import { bareHeaders, type HeaderOptions } from '../http/headers.ts'
import { outgoingOf } from '../http/node-env.ts'
import { problemBody, problemHeaders } from '../http/problem.ts'
import type { Fetch } from '../http/types.ts'

export type FrontOptions = Partial<HeaderOptions> & {
  /** Without it, every request is admitted. */
  admission?: Admission | undefined
  log?: Log | undefined
}

export type Front = {
  /** Calls the app when a slot is free. */
  fetch: Fetch
  /** Answers a request that cannot be admitted. Returns whether it did. */
  refuse(request: IncomingMessage, response: ServerResponse): boolean
}

const TIMES = {
  /** Between two log lines about rejections: a line for each would cost more than the rejection. */
  reportMs: 1_000,
  /** Rejections are written together: the client wakes up once for many of them, which saves this process a third of their cost. */
  gatherMs: 10,
}

/** The parts of a rejection that are the same for every request. */
type Refusal = { status: number; headers: Record<string, string>; text(path: string): string }

function prepare(error: AppError): Refusal {
  const { instance: _, ...body } = problemBody(error, '')
  const begin = JSON.stringify(body).slice(0, -1)
  return { status: body.status, headers: problemHeaders(error), text: (path) => `${begin},"instance":${JSON.stringify(path)}}` }
}

const ENDING = prepare(new AppError('unavailable', 'This process is about to end.', { retryAfter: 1 }))
const OVERLOADED = prepare(overloaded())

/** `draining` returns whether the process is draining. */
export function createFront(
  app: Fetch,
  draining: () => boolean,
  { admission, corsOrigins = [], publicUrl, log }: FrontOptions = {},
): Front {
  let refused = 0
  let gathered: [IncomingMessage, ServerResponse, string][] = []

  /** The immediate rejection, if any. Health checks are exempt, because an orchestrator kills a process that does not answer them. */
  function refusalOf(path: string): Refusal | undefined {
    if (path === '/health/ready' && draining()) return ENDING
    return admission?.isFull() && !isHealth(path) ? OVERLOADED : undefined
  }

  function headersOf(refusal: Refusal, origin: string | undefined): Record<string, string> {
    if (refusal === OVERLOADED && refused++ === 0) setTimeout(report, TIMES.reportMs).unref()
    return { ...bareHeaders({ corsOrigins, publicUrl }, origin), ...refusal.headers }
  }

  function report(): void {
    log?.('warn', 'overloaded', { refused })
    refused = 0
  }

  function write(refusal: Refusal, path: string, request: IncomingMessage, response: ServerResponse): void {
    const text = refusal.text(path)
    const headers = { ...headersOf(refusal, request.headers.origin), 'content-length': String(Buffer.byteLength(text)) }
    // A flat list is written as it is.
    response.writeHead(refusal.status, Object.entries(headers).flat()).end(text)
  }

  function writeGathered(): void {
    const all = gathered
    gathered = []
    for (const [request, response, path] of all) write(OVERLOADED, path, request, response)
  }

  async function run(request: Request, env: object, places: Admission): Promise<Response> {
    const slot = new Slot(places)
    keepSlot(env, slot)
    let streams = false
    try {
      const response = await app(request, env)
      streams = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false
      return response
    } finally {
      // A slow reader must not hold a slot, but a stream's work continues after its first bytes.
      const outgoing = streams ? outgoingOf(env) : undefined
      if (outgoing) outgoing.once('close', () => slot.leave())
      else slot.leave()
    }
  }

  return {
    fetch(request, env = {}) {
      const path = new URL(request.url).pathname
      const respond = (refusal: Refusal) => {
        const headers = headersOf(refusal, request.headers.get('origin') ?? undefined)
        return new Response(refusal.text(path), { status: refusal.status, headers })
      }
      const refusal = refusalOf(path)
      if (refusal) return respond(refusal)
      if (!admission || isHealth(path)) return app(request, env)
      const admitted = admission.enter()
      if (admitted === true) return run(request, env, admission)
      return admitted.then((inTime) => (inTime ? run(request, env, admission) : respond(OVERLOADED)))
    },
    refuse(request, response) {
      const { url = '' } = request
      const query = url.indexOf('?')
      const path = query < 0 ? url : url.slice(0, query)
      const refusal = refusalOf(path)
      if (!refusal) return false
      if (refusal === OVERLOADED) {
        if (gathered.push([request, response, path]) === 1) setTimeout(writeGathered, TIMES.gatherMs)
      } else {
        write(refusal, path, request, response)
      }
      return true
    },
  }
}

const isHealth = (path: string) => path === '/health/live' || path === '/health/ready'
