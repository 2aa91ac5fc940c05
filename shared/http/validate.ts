// Validates every input by a strict schema before the handler runs: body, query string, headers and path parameters.
import { zValidator } from '@hono/zod-validator'
import type { Context } from 'hono'
import { z } from 'zod'
import { AppError } from '../core/errors.ts'
import { asInvalid } from '../core/invalid.ts'
import { jsonLimits, parseJson, TooManyValues } from '../core/json.ts'
import { annotate } from '../openapi/route.ts'
import { readBody } from './body-limit.ts'

/**
 * A JSON body (RFC 8259: UTF-8, nothing else).
 * 415 for another content type, 400 for invalid JSON, 422 with the issues for a body that does not match the schema.
 */
export function body<S extends z.ZodObject>(schema: S, { optional = false, type = 'application/json' } = {}) {
  const validate = zValidator('json', schema, refuse)
  const withText: typeof validate = async (c, next) => {
    await readJsonText(c, type, optional)
    return validate(c, next)
  }
  return annotate(withText, {
    inputs: [{ in: 'json', schema, optional, type }],
    errors: ['malformed', 'too_large', 'unsupported_media_type', 'invalid'],
  })
}

/** The query string: each parameter once, and no unknown ones. */
export function query<S extends z.ZodObject>(schema: S) {
  return annotate(zValidator('query', readingNumbers(schema), refuse), { inputs: [{ in: 'query', schema }], errors: ['invalid'] })
}

/** The request headers in the schema, named in lower case. Other headers are ignored. */
export function headers<S extends z.ZodObject>(schema: S) {
  return annotate(zValidator('header', schema, refuse), { inputs: [{ in: 'header', schema }], errors: ['invalid'] })
}

/** The path parameters besides the user's id, which `owner` checks. */
export function path<S extends z.ZodRawShape>(schema: z.ZodObject<S>) {
  const validate = zValidator('param', z.object(schema.shape), refuse)
  return annotate(validate, { inputs: [{ in: 'path', schema }], errors: ['invalid'] })
}

/**
 * Decodes strictly, because the platform's decoder replaces invalid UTF-8. Hono's own `c.req.json()` then reads the text from the request's
 * cache.
 */
async function readJsonText(c: Context, expected: string, optional: boolean): Promise<void> {
  const bytes = await readBody(c)
  if (bytes.byteLength === 0) {
    if (optional) return keepText(c, '{}')
    throw new AppError('malformed', 'A JSON body is needed.')
  }
  if (mediaType(c) !== expected) throw new AppError('unsupported_media_type', `The body must be sent as ${expected}.`)
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    parseJson(text)
    keepText(c, text)
  } catch (error) {
    if (error instanceof TooManyValues) {
      const { values, levels } = jsonLimits
      throw new AppError('malformed', `A body may hold ${values} values, nested ${levels} levels deep, at the most.`, { cause: error })
    }
    throw new AppError('malformed', 'The body is not valid JSON in UTF-8.', { cause: error })
  }
}

/** The Content-Type without parameters, in lower case. */
export const mediaType = (c: Context) => c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase()

/** Hono's types have values in the cache; at run time it holds promises. */
function keepText(c: Context, text: string): void {
  Object.assign(c.req.bodyCache, { text: Promise.resolve(text) })
}

function refuse(result: { success: boolean; error?: z.core.$ZodError }): void {
  if (result.error) throw asInvalid(result.error)
}

/** Coerces digits to numbers where the schema has a number. The described schema stays the same. */
function readingNumbers<S extends z.ZodObject>(schema: S): S {
  const shape = Object.entries(schema.shape).map(([name, field]) => [name, isNumber(field) ? z.preprocess(asNumber, field) : field])
  return z.strictObject(Object.fromEntries(shape)) as unknown as S
}

const asNumber = (value: unknown) => (typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value)

function isNumber(field: z.core.$ZodType): boolean {
  if (field instanceof z.ZodOptional || field instanceof z.ZodDefault) return isNumber(field.def.innerType)
  return field instanceof z.ZodNumber
}
