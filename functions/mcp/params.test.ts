// What a message may cost before it is refused: the SDK's schemas know no bounds of their own.
import { JSONRPCMessageSchema, type JSONRPCRequest } from '@modelcontextprotocol/sdk/types.js'
import { expect, it } from 'vitest'
import { parseJson } from '../../shared/json.ts'
import { messageLimits } from './limits.ts'
import { wrongParams } from './params.ts'

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
  const read = () => {
    const value = parseJson(text, messageLimits)
    return JSONRPCMessageSchema.safeParse(value).success && wrongParams(value as JSONRPCRequest)
  }
  read()
  const before = process.threadCpuUsage()
  read()
  const { user, system } = process.threadCpuUsage(before)
  expect((user + system) / 1000).toBeLessThan(50)
})

it('repeats no more than 200 characters of a name that a client has made up', () => {
  const refusal = wrongParams({
    jsonrpc: '2.0',
    id: 1,
    method: 'prompts/get',
    params: { name: 'a', arguments: { ['x'.repeat(100_000)]: 1 } },
  })
  expect(refusal?.message.length).toBeLessThan(300)
})
