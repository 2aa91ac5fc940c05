// Builds the twin and checks, before anything is timed, that it answers the same bytes as the function.
import path from 'node:path'
import { rolldown } from 'rolldown'
import type { Sent } from './load.ts'
import { dist } from './processes.ts'

/** Bundles the twin as the functions are bundled. @returns the script to start */
export async function buildTwin(): Promise<string> {
  const build = await rolldown({
    input: path.join(import.meta.dirname, 'twin.ts'),
    platform: 'node',
    external: ['pg-native'],
    logLevel: 'warn',
  })
  const file = path.join(dist, 'bench', 'twin', 'main.mjs')
  await build.write({ file, format: 'esm', minify: true, codeSplitting: false })
  await build.close()
  return file
}

/** What differs from call to call by its nature, and must have the same form. */
const VOLATILE: [RegExp, string][] = [
  [/"completed":(true|false),"completed_at":(null|"[^"]+")/g, '"completed":?'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<instant>'],
  [/[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g, '<uuid>'],
]
/** Headers of the connection, not of the answer. */
const CONNECTION = new Set(['connection', 'keep-alive', 'date', 'transfer-encoding'])

/**
 * Sends the same to both and compares the answers: status, headers, and every byte of the body. `exact` says that nothing in the body may
 * differ, as of a read. @throws Error with both answers, when they differ
 */
export async function assertSame(ours: string, twin: string, request: Sent, { exact = false } = {}): Promise<void> {
  const [ourAnswer, twinAnswer] = [await answerOf(ours, request, exact), await answerOf(twin, request, exact)]
  if (ourAnswer !== twinAnswer)
    throw new Error(`${request.method} ${request.path}: the twin answers otherwise\n${ourAnswer}\n${twinAnswer}`)
}

async function answerOf(url: string, { method, path: target, headers, body }: Sent, exact: boolean): Promise<string> {
  const response = await fetch(url + target, { method, headers, ...(body === undefined ? {} : { body }) })
  const text = await response.text()
  const named = [...response.headers]
    .filter(([name]) => !CONNECTION.has(name) && (exact || name !== 'content-length'))
    .map(([name, value]) => `${name}: ${masked(value)}`)
  return [response.status, ...named.sort(), exact ? text : masked(text)].join('\n')
}

const masked = (text: string) => VOLATILE.reduce((result, [pattern, mark]) => result.replace(pattern, mark), text)
