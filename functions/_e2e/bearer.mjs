// Loaded with `node --import` into a client without token support, such as the conformance suite: adds MCP_TOKEN to each request.
import { subscribe } from 'node:diagnostics_channel'

subscribe('undici:request:create', ({ request }) => request.addHeader('authorization', `Bearer ${process.env.MCP_TOKEN}`))
