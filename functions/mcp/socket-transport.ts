// MCP over a WebSocket: the server's side of the transport, for which the SDK has a client's side only. One instance a connection. It
// knows frames, limits and how a connection ends, and nothing of tools or users.
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

/** Reads a message of an older legacyProtocol: the request it stands for and the form of its answer, or the answer to a bad one. */
export type LegacyProtocol = (
  message: unknown,
) => { type: 'request'; request: JSONRPCRequest; reply: Reply } | { type: 'invalid'; answer: object } | undefined

/** What a connection may take from the process, on behalf of its user. */
export type Admission = {
  /** Room for a received message, see `Inboxes.reserve`. */
  reserve(bytes: number, retry: () => void): (() => void) | undefined
  /** Waits until a request may run, see `UserLanes.enter`. */
  enter(signal: AbortSignal): Promise<() => void>
  /** Notes that the connection holds `bytes` more, or less when negative. */
  countHeld(bytes: number): void
}

export type SocketTransportOptions = { admission: Admission; authInfo?: AuthInfo; limits?: SocketLimits; legacyProtocol?: LegacyProtocol }

/** A received message. */
type Frame = { data: Buffer; isBinary: boolean }
/** A request that has not ended. An answered one has not ended when its connection had to close first. */
type Call = { state: 'waiting' | 'running' | 'answered'; reply: Reply; leaveLane: () => void; giveBack: () => void }

/** A server error (JSON-RPC 2.0, section 5.1): the request was not run and may be sent again. */
const NOT_RUN = -32000
const CLOSING: RpcError = { code: NOT_RUN, message: 'This was not run, because the connection closes: connect again, and send it there.' }
const OUTCOME_UNKNOWN: RpcError = {
  code: ErrorCode.InternalError,
  message: 'The connection had to close while this ran. Whether it was done is not known: look before you send it again.',
}

/** Bytes of a ping or pong from a client beside its data (RFC 6455, section 5.2): two of header, four of mask. */
const CONTROL_OVERHEAD = 6

export class WebSocketServerTransport implements Transport, Connection {
  /** Called once, when the socket is gone and no call runs any more: the SDK drops the answers of calls that end later. */
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: <T extends JSONRPCMessage>(message: T, extra?: MessageExtraInfo) => void
  /** Resolves when the socket is gone, with the code that closed it (RFC 6455, section 7.4); 1006 when it went without a word. */
  readonly closed: Promise<number>

  readonly #socket: WebSocket
  readonly #admission: Admission
  readonly #limits: SocketLimits
  readonly #extra: MessageExtraInfo
  readonly #legacyProtocol: LegacyProtocol | undefined
  readonly #pinging: NodeJS.Timeout
  /** Aborts what waits for its turn. */
  readonly #stop = new AbortController()
  readonly #calls = new Map<RequestId, Call>()
  /** Received, but not processed. */
  #backlog: Frame[] = []
  /** Whether the backlog has to wait: for `start`, or for room in the user's inbox. */
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
  /** Nothing is held, and so counted, any more. */
  #isDropped = false
  #unreadBytes = 0
  /** Bytes of a message that is not complete yet, and whether one was completed by the bytes that are read right now. */
  #partialBytes = 0
  #completed = false

  /** Listens at once, because frames may follow the handshake in the same packet, and hands on nothing before `start`. */
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
    // ws closes the socket itself, with the fitting code, when a frame is wrong.
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

  /** @throws Error when it has started before */
  async start(): Promise<void> {
    if (this.#started) throw new Error('The transport has already started')
    this.#started = true
    this.#unblock()
    this.#settle()
  }

  /** Resolves when the message has been handed to the operating system. @throws Error when it cannot be any more */
  async send(message: JSONRPCMessage): Promise<void> {
    if ('method' in message || message.id === undefined) return this.#write(message)
    const call = this.#calls.get(message.id)
    return call ? this.#answer(message.id, call, message) : this.#write(message)
  }

  async close(): Promise<void> {
    this.hangUp(1000, '')
    await this.closed
  }

  /** Refuses what waits and what still comes, lets the running calls end, then closes. The first call counts. */
  leave(code: number, reason: string): void {
    if (this.#leaving) return
    this.#leaving = { code, reason }
    this.#deadline = setTimeout(() => this.hangUp(code, reason), this.#limits.leaveMs)
    this.#stop.abort()
    this.#unblock()
    this.#settle()
  }

  /** Answers every request that has no answer, then closes. A client that does not answer the close in time is cut off. */
  hangUp(code: number, reason: string): void {
    if (this.isClosing || this.#code !== undefined) return
    this.#code = code
    for (const [id, call] of this.#calls) {
      if (call.state === 'answered') continue
      const error = call.state === 'waiting' ? CLOSING : OUTCOME_UNKNOWN
      call.state = 'answered'
      this.#tell(call.reply({ jsonrpc: '2.0', id, error }))
    }
    this.#socket.close(code, reason)
    this.#stop.abort()
    this.#dropBacklog()
    // The client's answer to the close has to be read.
    this.#socket.resume()
    clearTimeout(this.#deadline)
    this.#deadline = setTimeout(() => this.terminate(), this.#limits.closeTimeoutMs)
  }

  terminate(): void {
    this.#countNothing()
    this.#socket.terminate()
  }

  /** Counts bytes that arrived, after ws has read them: it keeps those of a message that is not complete. */
  countReceived(bytes: number): void {
    const before = this.#partialBytes
    this.#partialBytes = this.#completed ? 0 : Math.max(0, this.#partialBytes + bytes)
    this.#completed = false
    this.#count(this.#partialBytes - before)
  }

  #noteControl(data: Buffer): void {
    this.#alive = true
    // RFC 6455, section 5.5: such a frame may stand between the parts of a message, and is not kept.
    this.#partialBytes -= CONTROL_OVERHEAD + data.length
    this.#count(-CONTROL_OVERHEAD - data.length)
  }

  #receive(frame: Frame): void {
    if (this.isClosing) return
    this.#backlog.push(frame)
    this.#count(frame.data.length)
    // ws hands on what it has read already, also when paused.
    if (this.#blocked) this.#socket.pause()
    else this.#process()
  }

  /** Processes the backlog in order, until a message finds no room. */
  #process(): void {
    for (let [frame] = this.#backlog; frame && !this.#blocked; [frame] = this.#backlog) {
      const { length } = frame.data
      // While leaving, every request is refused at once and keeps no room.
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
    // A message without a readable id is a fault, because its sender cannot learn from the answer which one it was.
    const isMalformed = incoming.type === 'invalid' && 'id' in incoming && incoming.id === null
    this.#malformedInARow = isMalformed ? this.#malformedInARow + 1 : 0
    if (incoming.type === 'request') {
      this.#admit(incoming.request, incoming.reply, giveBack)
      return
    }
    giveBack()
    if (incoming.type === 'message') this.onmessage?.(incoming.message, this.#extra)
    else this.#tell('answer' in incoming ? incoming.answer : { jsonrpc: '2.0', id: incoming.id, error: incoming.error })
    if (this.#malformedInARow >= this.#limits.malformedInARow) this.hangUp(1008, 'too many unreadable messages')
  }

  /** Runs a request when its turn comes, or answers why not. */
  #admit(request: JSONRPCRequest, reply: Reply, giveBack: () => void): void {
    const { id } = request
    const isTwice = this.#calls.has(id)
    if (isTwice || this.#leaving) {
      giveBack()
      const error = isTwice ? { code: ErrorCode.InvalidRequest, message: 'A request with this id is still running.' } : CLOSING
      this.#tell(reply({ jsonrpc: '2.0', id, error }))
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

  /** Ends a call: with its answer, unless one was sent already. */
  async #answer(id: RequestId, call: Call, response: JSONRPCResponse): Promise<void> {
    const isAnswered = call.state === 'answered'
    this.#calls.delete(id)
    try {
      return isAnswered || this.#gone ? undefined : this.#write(call.reply(response))
    } finally {
      // Not before the answer is on its way: the room may let in a message that closes the connection.
      call.leaveLane()
      call.giveBack()
      this.#settle()
    }
  }

  /** Does what waited for the last call to end. */
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

  #tell(message: object): void {
    this.#write(message).catch((error) => this.onerror?.(error))
  }

  async #write(message: object): Promise<void> {
    if (this.isClosing) throw new Error('The connection is closed')
    // As bytes, so that what is counted is what is kept: ws would keep a text as one.
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
    // After this answer, so that no call that has run goes without one.
    if (unreadBefore > this.#limits.unreadBytes) this.hangUp(1013, 'answers are not being read')
    return promise
  }

  #count(bytes: number): void {
    if (this.#isDropped) return
    this.#heldBytes += bytes
    this.#admission.countHeld(bytes)
  }

  /** What it still holds is dropped with the socket. */
  #countNothing(): void {
    this.#admission.countHeld(-this.#heldBytes)
    this.#heldBytes = 0
    this.#isDropped = true
  }

  #ping(): void {
    // Nothing is read from a connection that is blocked, so that it can give no sign of life.
    if (!this.#alive && !this.#blocked) this.terminate()
    else if (!this.isClosing) this.#socket.ping()
    this.#alive = false
  }
}

function notRun({ message, retryAfter }: AppError): RpcError {
  return { code: NOT_RUN, message, ...(retryAfter === undefined ? {} : { data: { retry_after_seconds: retryAfter } }) }
}

/** ws's type allows forms that it uses only when asked to. */
function asBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
}
