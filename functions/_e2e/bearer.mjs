// Loaded with `node --import` into a client that knows no tokens, such as the conformance suite: each of its requests gets MCP_TOKEN.
import { subscribe } from 'node:diagnostics_channel'

subscribe('undici:request:create', ({ request }) => request.addHeader('authorization', `Bearer ${process.env.MCP_TOKEN}`))
