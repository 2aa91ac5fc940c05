// Answers a client's pings. ws would answer each one, and drop the connection (1006) of a client that sends more than 60 at once.
import { WebSocket } from 'ws'

/**
 * Answers only the newest of several pings that arrived since the last pong (RFC 6455, section 5.5.3), so that pings cannot fill the memory.
 * The socket needs `autoPong: false`.
 */
export function answerPings(socket: WebSocket): void {
  let newest: Buffer | undefined
  let isSending = false
  const answer = () => {
    if (isSending || !newest || socket.readyState !== WebSocket.OPEN) return
    isSending = true
    socket.pong(newest, false, () => {
      isSending = false
      answer()
    })
    newest = undefined
  }
  socket.on('ping', (data) => {
    // Copy it: the data is a view into the whole chunk that was read.
    newest = Buffer.from(data)
    answer()
  })
}
