// Clients that send until the server refuses connections: a server that drains must answer every request that it has accepted.
import { once } from 'node:events'
import http from 'node:http'

export type Asked = { method: string; headers?: http.OutgoingHttpHeaders; body?: string }
export type Answer = { status: number | undefined; connection: string | undefined }

/**
 * Sends one request. Returns undefined when it was not accepted: the connection was refused, or reset by the kernel before the accept.
 * @throws Error when the request was accepted and lost
 */
export async function ask(url: string, agent: http.Agent, { body, ...options }: Asked): Promise<Answer | undefined> {
  const request = http.request(url, { agent, ...options }).end(body)
  try {
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    response.resume()
    await once(response, 'end')
    return { status: response.statusCode, connection: response.headers.connection }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const reset = (code === 'ECONNRESET' || code === 'EPIPE') && !request.reusedSocket && request.socket?.bytesRead === 0
    if (code === 'ECONNREFUSED' || reset) return undefined
    throw error
  }
}

/** Sends the requests in turn over a kept connection until the server refuses. */
export async function askUntilRefused(url: string, requests: readonly Asked[], onAnswer: (answer: Answer) => void): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  try {
    for (;;) {
      for (const request of requests) {
        const answer = await ask(url, agent, request)
        if (!answer) return
        onAnswer(answer)
      }
    }
  } finally {
    agent.destroy()
  }
}
