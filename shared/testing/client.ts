// Callers that never give up: what a server that ends owes them is an answer to everything that it took in.
import { once } from 'node:events'
import http from 'node:http'

export type Asked = { method: string; headers?: http.OutgoingHttpHeaders; body?: string }
export type Answer = { status: number | undefined; connection: string | undefined }

/**
 * One request. Nothing when nobody took it: the connection was refused, or reset by the kernel before anyone accepted it.
 * @throws Error when it was taken, and lost
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

/** Asks over a kept connection, one request after the other and each in turn, until nobody takes them any more. */
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
