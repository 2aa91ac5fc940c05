// MCP over a WebSocket: the server's side of the transport for which the SDK has only a client's. One instance a connection. It knows
// frames, limits and how a connection ends, and nothing of tools or users.
import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import {
  ErrorCode,
  type JSONRPCMessage,
  JSONRPCMessageSchema,
  type JSONRPCRequest,
  type JSONRPCResponse,
  type MessageExtraInfo,
  type RequestId,
} from '@modelcontextprotocol/sdk/types.js'
import { type RawData, WebSocket } from 'ws'
import { parseJson } from '../../shared/json.ts'
import { messageLimits, type SocketLimits, socketLimits, UNREADABLE } from './limits.ts'
import { wrongParams } from './params.ts'

/** An older way to ask, if the message is in one: the request that is meant, and how its answer is to be said. */
export type Dialect = (message: object) => { request: JSONRPCRequest; say: (response: JSONRPCResponse) => object } | undefined

export type SocketTransportOptions = { authInfo?: AuthInfo; limits?: SocketLimits; dialect?: Dialect }

/** A server error (JSON-RPC 2.0, section 5.1): the request was not run and may be sent again. */
const NOT_NOW = -32000

export class WebSocketServerTransport implements Transport {
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: <T extends JSONRPCMessage>(message: T, extra?: MessageExtraInfo) => void
  /** Resolves with the close code (RFC 6455, section 7.4) when the socket is gone; 1006 when it went without a word. */
  readonly closed: Promise<number>

  readonly #socket: WebSocket
  readonly #limits: SocketLimits
  readonly #extra: MessageExtraInfo
  readonly #dialect: Dialect | undefined
  readonly #pinging: NodeJS.Timeout
  #deadline: NodeJS.Timeout | undefined
  /** What came before `start`; undefined from then on. */
  #early: [RawData, boolean][] | undefined = []
  /** Requests that are not answered yet. Every request is answered exactly once, so its size is the number of running calls. */
  readonly #running = new Map<RequestId, (response: JSONRPCResponse) => object>()
  #leaving: { code: number; reason: string } | undefined
  #faults = 0
  #alive = true
  #gone = false

  /** Listens at once, because frames may follow the handshake in the same packet, and hands on nothing before `start`. */
  constructor(socket: WebSocket, { authInfo, limits = socketLimits, dialect }: SocketTransportOptions = {}) {
    this.#socket = socket
    this.#limits = limits
    this.#dialect = dialect
    this.#extra = authInfo ? { authInfo } : {}
    const sign = () => {
      this.#alive = true
    }
    socket.on('message', (data, isBinary) => {
      sign()
      this.#receive(data, isBinary)
    })
    socket.on('ping', sign)
    socket.on('pong', sign)
    // What ws finds wrong with a frame closes the socket by itself, with the fitting code.
    socket.on('error', (error) => this.onerror?.(error))
    this.#pinging = setInterval(() => this.#ping(), limits.ping)
    this.closed = new Promise((resolve) => {
      socket.once('close', (code) => {
        clearInterval(this.#pinging)
        clearTimeout(this.#deadline)
        this.#gone = true
        if (!this.#early) this.onclose?.()
        resolve(code)
      })
    })
  }

  /** @throws Error when it has started before */
  async start(): Promise<void> {
    const early = this.#early
    if (!early) throw new Error('The transport has already started')
    this.#early = undefined
    for (const [data, isBinary] of early) this.#receive(data, isBinary)
    this.#socket.resume()
    if (this.#gone) this.onclose?.()
  }

  /** Resolves when the message has been handed to the operating system. @throws Error when it cannot be any more */
  async send(message: JSONRPCMessage): Promise<void> {
    if ('method' in message) return this.#write(message)
    const say = message.id === undefined ? undefined : this.#running.get(message.id)
    if (message.id !== undefined) this.#running.delete(message.id)
    const written = this.#write(say ? say(message) : message)
    if (this.#leaving && this.#running.size === 0) this.#hangUp(this.#leaving.code, this.#leaving.reason)
    return written
  }

  async close(): Promise<void> {
    this.#hangUp(1000, '')
    await this.closed
  }

  /** Takes no new request, lets the running ones end, then closes. The first call counts. */
  leave(code: number, reason: string): void {
    if (this.#leaving) return
    this.#leaving = { code, reason }
    if (this.#running.size === 0) this.#hangUp(code, reason)
    else this.#deadline = setTimeout(() => this.#hangUp(code, reason), this.#limits.leave)
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#early) {
      this.#early.push([data, isBinary])
      this.#socket.pause()
    } else if (this.#socket.readyState !== WebSocket.OPEN) {
      // It has been told to go: what it had sent before is not run any more.
    } else if (isBinary) {
      this.#hangUp(1003, 'text frames only')
    } else {
      this.#read(String(data))
    }
  }

  #read(text: string): void {
    const value = parse(text)
    const older = typeof value === 'object' && value !== null ? this.#dialect?.(value) : undefined
    const { data: message } = JSONRPCMessageSchema.safeParse(value)
    if (older) {
      this.#admit(older.request, older.say)
    } else if (message && 'method' in message && 'id' in message) {
      this.#admit(message, (response) => response)
    } else if (message) {
      this.#faults = 0
      this.onmessage?.(message, this.#extra)
    } else if (value === undefined) {
      this.#fault(ErrorCode.ParseError, UNREADABLE)
    } else {
      const hint = Array.isArray(value) ? 'Batches are not taken: send one message after the other.' : 'This is not a JSON-RPC 2.0 message.'
      this.#fault(ErrorCode.InvalidRequest, hint)
    }
  }

  /** Runs a request, or answers why not. */
  #admit(request: JSONRPCRequest, say: (response: JSONRPCResponse) => object): void {
    this.#faults = 0
    const refusal = this.#refusal(request.id) ?? wrongParams(request)
    if (refusal) {
      this.#tell(say({ jsonrpc: '2.0', id: request.id, error: refusal }))
    } else {
      this.#running.set(request.id, say)
      this.onmessage?.(request, this.#extra)
    }
  }

  #refusal(id: RequestId): { code: number; message: string } | undefined {
    if (this.#running.has(id)) return { code: ErrorCode.InvalidRequest, message: 'A request with this id is still running.' }
    if (this.#leaving) return { code: NOT_NOW, message: 'This connection is about to close: connect again, and send the request there.' }
    if (this.#running.size < this.#limits.inFlight) return undefined
    return { code: NOT_NOW, message: `Only ${this.#limits.inFlight} requests may run at once: wait for an answer, then send it again.` }
  }

  /** Answers what is no request. */
  #fault(code: number, message: string): void {
    this.#tell({ jsonrpc: '2.0', id: null, error: { code, message } })
    if (++this.#faults >= this.#limits.faults) this.#hangUp(1008, 'too many unreadable messages')
  }

  #tell(message: object): void {
    this.#write(message).catch((error) => this.onerror?.(error))
  }

  async #write(message: object): Promise<void> {
    if (this.#socket.readyState !== WebSocket.OPEN) throw new Error('The connection is closed')
    if (this.#socket.bufferedAmount > this.#limits.buffered) {
      this.#hangUp(1013, 'answers are not being read')
      throw new Error('The client does not read its answers')
    }
    const text = JSON.stringify(message)
    return new Promise((resolve, reject) => {
      this.#socket.send(text, (error) => (error ? reject(error) : resolve()))
    })
  }

  #ping(): void {
    if (!this.#alive) this.#socket.terminate()
    else if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping()
    this.#alive = false
  }

  /** Says goodbye, and does not wait for ever to hear it back. */
  #hangUp(code: number, reason: string): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    clearTimeout(this.#deadline)
    this.#socket.close(code, reason)
    this.#deadline = setTimeout(() => this.#socket.terminate(), this.#limits.farewell)
  }
}

function parse(text: string): unknown {
  try {
    return parseJson(text, messageLimits)
  } catch {
    return undefined
  }
}
