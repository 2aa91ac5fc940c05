// Answers a client's pings. ws would answer each, and cut the connection (1006) of a client that sends more than 60 at once.
import { WebSocket } from 'ws'

/**
 * Answers the newest ping only, when several have come since the last pong was sent (RFC 6455, section 5.5.3): so many pings take no memory.
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
    // A copy, because the data is a view into all that was read at once.
    newest = Buffer.from(data)
    answer()
  })
}
