// Failures of resources and prompts as JSON-RPC errors; a failed tool call is a result instead (server.ts).
import { randomUUID } from 'node:crypto'
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js'
import type { UserContext } from '../../shared/core/context.ts'
import { asAppError } from '../../shared/core/failure.ts'
import { errorFields, type Log } from '../../shared/core/log.ts'
import { renderFailure } from './render.ts'

/** "Resource not found", as the MCP specification numbers it. */
const RESOURCE_NOT_FOUND = -32002

export type Guard = <T>(run: () => Promise<T>) => Promise<T>

/** Runs the handler of a resource or prompt. An unexpected error is reported without its cause, by the id of its log line alone. */
export function createGuard(ctx: UserContext, log: Log): Guard {
  return async (run) => {
    try {
      return await run()
    } catch (error) {
      const failure = asAppError(error)
      const reference = randomUUID()
      if (failure.kind === 'internal' || failure.kind === 'unavailable') {
        log('error', 'call', {
          function: 'mcp',
          call_id: reference,
          user_id: ctx.actor.userId,
          failed: failure.kind,
          ...errorFields(error),
        })
      }
      if (failure.kind === 'not_found') throw new McpError(RESOURCE_NOT_FOUND, failure.message)
      if (failure.kind === 'invalid') throw new McpError(ErrorCode.InvalidParams, failure.message)
      throw new McpError(ErrorCode.InternalError, renderFailure(failure, reference))
    }
  }
}
