// The cost of a message before it is rejected: the SDK's schemas have no limits of their own.
import { expect, it } from 'vitest'
import { messageLimits, parseMessage, readMessage } from './messages.ts'

const members = `{${Array.from({ length: messageLimits.values - 20 }, (_, index) => `"k${index}":1`)}}`
const message = (method: string, params: string) => `{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}`
const client = '"protocolVersion":"2025-06-18","clientInfo":{"name":"a","version":"1"}'

it.each([
  ['unknown capabilities', message('initialize', `{${client},"capabilities":{"experimental":${members}}}`)],
  ['wrong arguments of a prompt', message('prompts/get', `{"name":"a","arguments":${members}}`)],
  ['arguments of a tool', message('tools/call', `{"name":"a","arguments":${members}}`)],
  ['metadata', message('tools/list', `{"_meta":${members}}`)],
  ['unknown members', `{"jsonrpc":"2.0","id":1,"method":"ping",${members.slice(1)}`],
])('reads or refuses a message for less than 50 ms of processor time when it is made to be costly: %s', (_, text) => {
  const read = () => readMessage(parseMessage(Buffer.from(text)))
  read()
  const before = process.threadCpuUsage()
  read()
  const { user, system } = process.threadCpuUsage(before)
  expect((user + system) / 1000).toBeLessThan(50)
})
