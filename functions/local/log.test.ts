import { describe, expect, it } from 'vitest'
import { errorFields, type LogFields, type LogLevel } from '../../shared/core/log.ts'
import { createLocalLog, createPrettyLog, describeError } from './log.ts'

const clock = () => new Date(2027, 0, 15, 9, 30, 5)

function logged(level: LogLevel, message: string, fields: LogFields, color = false): string {
  const texts: string[] = []
  createPrettyLog({ writeLine: (text) => texts.push(text), color }, clock)(level, message, fields)
  return texts.join('')
}

const request = {
  function: 'todos',
  request_id: 'r-1',
  trace_id: 't-1',
  method: 'GET',
  route: '/api/v1/:user_id/todos',
  status: 200,
  ms: 3.2,
  user_id: 'ada',
}

describe('the log of npm start on a terminal', () => {
  it('shows a request as one line of time, status, method, route, duration, function and user', () => {
    expect(logged('info', 'request', request)).toBe('09:30:05 200 GET    /api/v1/:user_id/todos  3.2 ms  todos  user=ada')
  })

  it('shows the request id and the whole error of a request that failed with 500', () => {
    const line = logged('error', 'request', { ...request, status: 500, ...errorFields(new TypeError('no such column')) })
    expect(line.split('\n')[0]).toBe('09:30:05 500 GET    /api/v1/:user_id/todos  3.2 ms  todos  user=ada  request=r-1')
    expect(line).toMatch(/\n {4}TypeError: no such column\n +at .*log\.test\.ts/)
  })

  it('shows any other message with its level and fields, and leaves out the fields that the error repeats', () => {
    expect(logged('warn', 'events failing', { failed: 3, reason: 'ECONNREFUSED', user_id: undefined })).toBe(
      '09:30:05 warn events failing  failed=3  reason=ECONNREFUSED',
    )
    const [first] = logged('error', 'tool failed', { user_id: 'ada', ...errorFields(new Error('lost')) }).split('\n')
    expect(first).toBe('09:30:05 error tool failed  user_id=ada')
  })

  it('uses colors only where the terminal has them', () => {
    expect(logged('error', 'failed', {}, true)).toContain('\u001B[31merror')
    expect(logged('error', 'failed', {})).not.toContain('\u001B')
  })

  it('escapes control characters, so that a text cannot move the cursor', () => {
    expect(logged('error', 'failed', errorFields(new Error('title \u001B[2J\r')))).toContain('title \\u001b[2J\\u000d')
    expect(logged('info', 'call', { tool: '\u001B[2J' })).toContain('tool=\\u001b[2J')
  })

  it('drops lines below LOG_LEVEL', () => {
    const texts: string[] = []
    const log = createLocalLog('warn', { writeLine: (text) => texts.push(text), color: false })
    log('info', 'request', request)
    log('warn', 'events failing')
    expect(texts).toHaveLength(1)
  })
})

describe('a whole error', () => {
  it('has the message, the stack, the SQL text and each cause', () => {
    const cause = Object.assign(new Error('duplicate key'), { sql: 'INSERT INTO todos\nVALUES ($1)' })
    const text = describeError(new Error('not stored', { cause }))
    expect(text).toMatch(
      /^Error: not stored\n +at [\s\S]+\nCaused by: Error: duplicate key\n +at [\s\S]+\nSQL: INSERT INTO todos\nVALUES \(\$1\)$/,
    )
  })

  it('has the SQL text of an error that carries it as `statement`', () => {
    expect(describeError(Object.assign(new Error('timeout'), { statement: 'SELECT 1' }))).toMatch(/\nSQL: SELECT 1$/)
  })

  it('ends after a few causes when an error is its own cause', () => {
    const error = new Error('circle')
    error.cause = error
    expect(describeError(error).match(/Caused by/g)).toHaveLength(5)
  })

  it('shows a thrown value that is no Error', () => {
    expect(describeError('text')).toBe('text')
  })
})
