// The least that Node can do: what every cold start is measured against. Plain JavaScript, because reading TypeScript takes time too.
import { createServer } from 'node:http'

const server = createServer((_request, response) => response.end('ok')).listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`)
})
