// The server side of MCP over a WebSocket; the SDK has only the client side. One instance per connection. It handles frames, limits and
// closing, and knows nothing of tools or users.
import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import {
  ErrorCode,
  type JSONRPCMessage,
  type JSONRPCRequest,
  type JSONRPCResponse,
  type MessageExtraInfo,
  type RequestId,
} from '@modelcontextprotocol/sdk/types.js'
import { type RawData, WebSocket } from 'ws'
import type { AppError } from '../../shared/core/errors.ts'
import { asAppError } from '../../shared/core/failure.ts'
import { type SocketLimits, socketLimits } from './limits.ts'
import { parseMessage, type RpcError, readMessage } from './messages.ts'
import { answerPings } from './pings.ts'
import type { Connection } from './sockets.ts'

type Reply = (response: JSONRPCResponse) => object

/** Reads a message of an older protocol: returns the MCP request and a converter for its answer, or the answer to an invalid message. */
export type LegacyProtocol = (
  message: unknown,
) => { type: 'request'; request: JSONRPCRequest; reply: Reply } | { type: 'invalid'; answer: object } | undefined

/** The shared resources that a connection reserves for its user. */
export type Admission = {
  /** Reserves room for a received message, see `Inboxes.reserve`. */
  reserve(bytes: number, retry: () => void): (() => void) | undefined
  /** Waits until a request may run, see `UserLanes.enter`. */
  enter(signal: AbortSignal): Promise<() => void>
  /** Notes that the connection holds `bytes` more, or less when negative. */
  countHeld(bytes: number): void
}

export type SocketTransportOptions = { admission: Admission; authInfo?: AuthInfo; limits?: SocketLimits; legacyProtocol?: LegacyProtocol }

/** A received message. */
type Frame = { data: Buffer; isBinary: boolean }
/** A request that still runs or waits. It may be answered already, when its connection had to close first. */
type Call = { state: 'waiting' | 'running' | 'answered'; reply: Reply; leaveLane: () => void; giveBack: () => void }

/** A server error (JSON-RPC 2.0, section 5.1): the request did not run and may be retried. */
const NOT_RUN = -32000
const CLOSING: RpcError = { code: NOT_RUN, message: 'This was not run, because the connection is closing: connect again and retry.' }
const OUTCOME_UNKNOWN: RpcError = {
  code: ErrorCode.InternalError,
  message: 'The connection had to close while this ran. It is not known whether it was done: look before you retry.',
}

/** Bytes of a client's ping or pong besides its data (RFC 6455, section 5.2): two of header, four of mask. */
const CONTROL_OVERHEAD = 6

export class WebSocketServerTransport implements Transport, Connection {
  /** Called once, after the socket has closed and all calls have ended: the SDK drops answers that come later. */
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: <T extends JSONRPCMessage>(message: T, extra?: MessageExtraInfo) => void
  /** Resolves when the socket has closed, with the close code (RFC 6455, section 7.4); 1006 without a close frame. */
  readonly closed: Promise<number>

  readonly #socket: WebSocket
  readonly #admission: Admission
  readonly #limits: SocketLimits
  readonly #extra: MessageExtraInfo
  readonly #legacyProtocol: LegacyProtocol | undefined
  readonly #pinging: NodeJS.Timeout
  /** Aborts the requests that wait for their lane. */
  readonly #stop = new AbortController()
  readonly #calls = new Map<RequestId, Call>()
  /** Received, not processed yet. */
  #backlog: Frame[] = []
  /** Whether the backlog waits: for `start`, or for room in the user's inbox. */
  #blocked = true
  #deadline: NodeJS.Timeout | undefined
  #leaving: { code: number; reason: string } | undefined
  /** The code of a close from this side. */
  #code: number | undefined
  #started = false
  #gone = false
  #malformedInARow = 0
  #alive = true
  #heldBytes = 0
  /** The socket was dropped: its bytes no longer count. */
  #isDropped = false
  #unreadBytes = 0
  /** Bytes of an incomplete message, and whether the current chunk completed one. */
  #partialBytes = 0
  #completed = false

  /** Listens at once, because frames may follow the handshake in the same packet. Passes none on before `start`. */
  constructor(socket: WebSocket, { admission, authInfo, limits = socketLimits, legacyProtocol }: SocketTransportOptions) {
    this.#socket = socket
    this.#admission = admission
    this.#limits = limits
    this.#legacyProtocol = legacyProtocol
    this.#extra = authInfo ? { authInfo } : {}
    socket.on('message', (data, isBinary) => {
      this.#alive = true
      this.#completed = true
      this.#receive({ data: asBuffer(data), isBinary })
    })
    socket.on('ping', (data) => this.#noteControl(data))
    socket.on('pong', (data) => this.#noteControl(data))
    answerPings(socket)
    // ws closes the socket itself, with the right code, after an invalid frame.
    socket.on('error', (error) => this.onerror?.(error))
    this.#pinging = setInterval(() => this.#ping(), limits.pingMs)
    this.closed = new Promise((resolve) => {
      socket.once('close', (code) => {
        this.#end()
        resolve(this.#code ?? code)
      })
    })
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  get isClosing(): boolean {
    return this.#socket.readyState !== WebSocket.OPEN
  }

  /** @throws Error when already started */
  async start(): Promise<void> {
    if (this.#started) throw new Error('The transport has already started')
    this.#started = true
    this.#unblock()
    this.#settle()
  }

  /** Resolves when the message has been passed to the operating system. @throws Error when the connection is closed */
  async send(message: JSONRPCMessage): Promise<void> {
    if ('method' in message || message.id === undefined) return this.#write(message)
    const call = this.#calls.get(message.id)
    return call ? this.#answer(message.id, call, message) : this.#write(message)
  }

  async close(): Promise<void> {
    this.hangUp(1000, '')
    await this.closed
  }

  /** Rejects waiting and new requests, lets running ones finish, then closes. Later calls are no-ops. */
  leave(code: number, reason: string): void {
    if (this.#leaving) return
    this.#leaving = { code, reason }
    this.#deadline = setTimeout(() => this.hangUp(code, reason), this.#limits.leaveMs)
    this.#stop.abort()
    this.#unblock()
    this.#settle()
  }

  /** Answers every open request with an error, then closes. The socket is dropped if the client does not answer the close in time. */
  hangUp(code: number, reason: string): void {
    if (this.isClosing || this.#code !== undefined) return
    this.#code = code
    for (const [id, call] of this.#calls) {
      if (call.state === 'answered') continue
      const error = call.state === 'waiting' ? CLOSING : OUTCOME_UNKNOWN
      call.state = 'answered'
      this.#send(call.reply({ jsonrpc: '2.0', id, error }))
    }
    this.#socket.close(code, reason)
    this.#stop.abort()
    this.#dropBacklog()
    // Resume reading, to receive the client's close frame.
    this.#socket.resume()
    clearTimeout(this.#deadline)
    this.#deadline = setTimeout(() => this.terminate(), this.#limits.closeTimeoutMs)
  }

  terminate(): void {
    this.#countNothing()
    this.#socket.terminate()
  }

  /** Counts received bytes after ws has read them: ws buffers the parts of an incomplete message. */
  countReceived(bytes: number): void {
    const before = this.#partialBytes
    this.#partialBytes = this.#completed ? 0 : Math.max(0, this.#partialBytes + bytes)
    this.#completed = false
    this.#count(this.#partialBytes - before)
  }

  #noteControl(data: Buffer): void {
    this.#alive = true
    // RFC 6455, section 5.5: a control frame may come between the parts of a message, and is not buffered.
    this.#partialBytes -= CONTROL_OVERHEAD + data.length
    this.#count(-CONTROL_OVERHEAD - data.length)
  }

  #receive(frame: Frame): void {
    if (this.isClosing) return
    this.#backlog.push(frame)
    this.#count(frame.data.length)
    // A paused ws still emits the messages that it has read.
    if (this.#blocked) this.#socket.pause()
    else this.#process()
  }

  /** Processes the backlog in order, until the inbox is full. */
  #process(): void {
    for (let [frame] = this.#backlog; frame && !this.#blocked; [frame] = this.#backlog) {
      const { length } = frame.data
      // While closing, every request is rejected at once and needs no room.
      const giveBack = this.#leaving ? () => {} : this.#admission.reserve(length, () => this.#unblock())
      if (!giveBack) {
        this.#blocked = true
        this.#socket.pause()
        return
      }
      this.#backlog.shift()
      this.#read(frame, () => {
        giveBack()
        this.#count(-length)
      })
    }
  }

  #unblock(): void {
    if (!this.#started || this.isClosing) return
    this.#blocked = false
    this.#alive = true
    this.#process()
    if (!this.#blocked) this.#socket.resume()
  }

  #dropBacklog(): void {
    for (const { data } of this.#backlog) this.#count(-data.length)
    this.#backlog = []
  }

  #read({ data, isBinary }: Frame, giveBack: () => void): void {
    if (isBinary) {
      giveBack()
      this.hangUp(1003, 'text frames only')
      return
    }
    const parsed = parseMessage(data)
    const older = parsed.type === 'value' ? this.#legacyProtocol?.(parsed.value) : undefined
    const incoming = older ?? { ...readMessage(parsed), reply: (response: JSONRPCResponse): object => response }
    // Only a message without a readable id counts: its sender cannot match the answer to it.
    const isMalformed = incoming.type === 'invalid' && 'id' in incoming && incoming.id === null
    this.#malformedInARow = isMalformed ? this.#malformedInARow + 1 : 0
    if (incoming.type === 'request') {
      this.#admit(incoming.request, incoming.reply, giveBack)
      return
    }
    giveBack()
    if (incoming.type === 'message') this.onmessage?.(incoming.message, this.#extra)
    else this.#send('answer' in incoming ? incoming.answer : { jsonrpc: '2.0', id: incoming.id, error: incoming.error })
    if (this.#malformedInARow >= this.#limits.malformedInARow) this.hangUp(1008, 'too many unreadable messages')
  }

  /** Queues a request in its user's lane, or rejects it. */
  #admit(request: JSONRPCRequest, reply: Reply, giveBack: () => void): void {
    const { id } = request
    const isTwice = this.#calls.has(id)
    if (isTwice || this.#leaving) {
      giveBack()
      const error = isTwice ? { code: ErrorCode.InvalidRequest, message: 'A request with this id is still running.' } : CLOSING
      this.#send(reply({ jsonrpc: '2.0', id, error }))
      return
    }
    const call: Call = { state: 'waiting', reply, leaveLane: () => {}, giveBack }
    this.#calls.set(id, call)
    this.#run(request, call).catch((error) => this.onerror?.(error))
  }

  async #run(request: JSONRPCRequest, call: Call): Promise<void> {
    const refuse = (error: RpcError) => this.#answer(request.id, call, { jsonrpc: '2.0', id: request.id, error })
    try {
      call.leaveLane = await this.#admission.enter(this.#stop.signal)
    } catch (error) {
      return refuse(this.#stop.signal.aborted ? CLOSING : notRun(asAppError(error)))
    }
    if (this.#stop.signal.aborted) return refuse(CLOSING)
    call.state = 'running'
    this.onmessage?.(request, this.#extra)
  }

  /** Ends a call, and sends its answer unless one was sent already. */
  async #answer(id: RequestId, call: Call, response: JSONRPCResponse): Promise<void> {
    const isAnswered = call.state === 'answered'
    this.#calls.delete(id)
    try {
      return isAnswered || this.#gone ? undefined : this.#write(call.reply(response))
    } finally {
      // Release only after sending: the freed room may admit a message that closes the connection.
      call.leaveLane()
      call.giveBack()
      this.#settle()
    }
  }

  /** Runs the steps that wait for the last call to end. */
  #settle(): void {
    if (this.#calls.size > 0) return
    if (this.#leaving) this.hangUp(this.#leaving.code, this.#leaving.reason)
    if (!this.#gone || !this.#started) return
    this.onclose?.()
    this.onclose = undefined
  }

  #end(): void {
    clearInterval(this.#pinging)
    clearTimeout(this.#deadline)
    this.#gone = true
    this.#stop.abort()
    this.#dropBacklog()
    this.#countNothing()
    this.#settle()
  }

  #send(message: object): void {
    this.#write(message).catch((error) => this.onerror?.(error))
  }

  async #write(message: object): Promise<void> {
    if (this.isClosing) throw new Error('The connection is closed')
    // Send bytes, not a string: ws would buffer the string, whose size in memory differs from the count.
    const bytes = Buffer.from(JSON.stringify(message))
    const unreadBefore = this.#unreadBytes
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#socket.send(bytes, { binary: false }, (error) => {
      this.#unreadBytes -= bytes.length
      this.#count(-bytes.length)
      if (error) reject(error)
      else resolve()
    })
    this.#unreadBytes += bytes.length
    this.#count(bytes.length)
    // Checked after sending, so that every call that ran gets its answer.
    if (unreadBefore > this.#limits.unreadBytes) this.hangUp(1013, 'answers are not being read')
    return promise
  }

  #count(bytes: number): void {
    if (this.#isDropped) return
    this.#heldBytes += bytes
    this.#admission.countHeld(bytes)
  }

  /** Stops counting: the remaining buffers are dropped with the socket. */
  #countNothing(): void {
    this.#admission.countHeld(-this.#heldBytes)
    this.#heldBytes = 0
    this.#isDropped = true
  }

  #ping(): void {
    // A blocked connection is not read, so its silence means nothing.
    if (!this.#alive && !this.#blocked) this.terminate()
    else if (!this.isClosing) this.#socket.ping()
    this.#alive = false
  }
}

function notRun({ message, retryAfter }: AppError): RpcError {
  return { code: NOT_RUN, message, ...(retryAfter === undefined ? {} : { data: { retry_after_seconds: retryAfter } }) }
}

/** Narrows the type of ws, which also covers forms that are not enabled here. */
function asBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
}
