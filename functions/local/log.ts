// The log of `npm start`: readable lines on a terminal, JSON elsewhere, and whole errors in both. Whole errors may hold SQL and a user's
// texts, so the deployed functions never log them.
import { styleText } from 'node:util'
import { ERROR, type Log, type LogFields, type LogLevel } from '../../shared/core/log.ts'
import { createLog, jsonLog } from '../../shared/runtime/log.ts'

/** `color`: whether the terminal shows colors. */
type Terminal = { writeLine: (text: string) => void; color: boolean }

/** `terminal` is undefined when standard output is no terminal. */
export function createLocalLog(level: LogLevel, terminal: Terminal | undefined): Log {
  return createLog({ level, write: terminal ? createPrettyLog(terminal) : jsonLogWithErrors })
}

const jsonLogWithErrors: Log = (level, message, fields = {}) =>
  jsonLog(level, message, ERROR in fields ? { ...fields, error_detail: describeError(fields[ERROR]) } : fields)

const STYLE = { error: 'red', warn: 'yellow', info: 'green' } as const

/** One line a request or message; an error follows on lines of its own. `clock` gives the time of a line. */
export function createPrettyLog({ writeLine, color }: Terminal, clock: () => Date = () => new Date()): Log {
  const paint = (style: Parameters<typeof styleText>[0], text: string) => (color ? styleText(style, text, { validateStream: false }) : text)
  return (level, message, fields = {}) => {
    const time = paint('gray', clock().toTimeString().slice(0, 8))
    const isRequest = message === 'request'
    const summary = isRequest ? requestLine(fields) : [message, ...listFields(fields)].join('  ')
    const styled = isRequest ? paint(statusStyle(fields.status), summary) : `${paint(STYLE[level], level)} ${summary}`
    const error = ERROR in fields ? `\n${paint('red', indented(describeError(fields[ERROR])))}` : ''
    writeLine(`${time} ${styled}${error}`)
  }
}

function requestLine({ status, method, route, ms, function: name, user_id, request_id }: LogFields): string {
  const line = `${status} ${String(method).padEnd(6)} ${route}  ${ms} ms  ${name}`
  return visible([line, user_id && `user=${user_id}`, Number(status) >= 500 && `request=${request_id}`].filter(Boolean).join('  '))
}

const statusStyle = (status: unknown) => (Number(status) >= 500 ? 'red' : Number(status) >= 400 ? 'yellow' : 'reset')

/** The fields as `name=value`, without the ones that the whole error repeats. */
function listFields(fields: LogFields): string[] {
  return Object.entries(fields)
    .filter(([name, value]) => value !== undefined && value !== null && !(ERROR in fields && /^(error|cause|sql_state)/.test(name)))
    .map(([name, value]) => visible(`${name}=${value}`))
}

/** Errors in a chain of causes that are shown: a chain may be a circle. */
const MAX_CAUSES = 5

/** An error with its message, stack, SQL and causes. */
export function describeError(error: unknown, causes = MAX_CAUSES): string {
  if (!(error instanceof Error)) return visible(String(error))
  const { name, message, stack, cause } = error
  // V8 writes the message into the stack once, so a message that was changed later is only in `message`.
  const text = stack?.includes(message) ? stack : [`${name}: ${message}`, stack].filter(Boolean).join('\n')
  const statement = sqlOf(error)
  return [
    visible(text),
    ...(statement === undefined ? [] : [`SQL: ${visible(statement)}`]),
    ...(cause === undefined || causes === 0 ? [] : [`Caused by: ${describeError(cause, causes - 1)}`]),
  ].join('\n')
}

/** The SQL text that a database error carries as `sql` or `statement`. */
function sqlOf(error: Error): string | undefined {
  for (const key of ['sql', 'statement'] as const) {
    const text: unknown = key in error ? Reflect.get(error, key) : undefined
    if (typeof text === 'string') return text
  }
  return undefined
}

const indented = (text: string) => text.replace(/^/gm, '    ')

/** Shows control characters as escapes, so that a user's text cannot move the cursor or forge a line. Line breaks and tabs stay. */
const visible = (text: string) =>
  text.replace(/[^\P{Cc}\n\t]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
