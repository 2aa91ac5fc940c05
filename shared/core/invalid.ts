// Zod's errors as the application's: bounded, with a JSON Pointer to each rejected value.
import type { z } from 'zod'
import { AppError, type Issue } from './errors.ts'

/** Bounds of the issues that one error reports. */
const LIMITS = {
  issues: 20,
  /** Characters of a field's name, and of a whole pointer. */
  pointer: 200,
}

/** The issues that a schema found, as an AppError `invalid` with the first 20 of them; its detail is the first. */
export function asInvalid(error: z.core.$ZodError): AppError {
  const issues = error.issues.slice(0, LIMITS.issues).flatMap(toIssues).slice(0, LIMITS.issues)
  const [first] = issues
  return new AppError('invalid', first ? `${first.pointer.slice(1) || 'The input'} ${first.detail}.` : 'The input is not valid.', {
    issues,
  })
}

function toIssues(issue: z.core.$ZodIssue): Issue[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys
      .slice(0, LIMITS.issues)
      .map((key) => ({ pointer: pointerTo([...issue.path, key]), detail: 'is not a field known here' }))
  const missing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined')
  return [{ pointer: pointerTo(issue.path), detail: missing ? 'is required' : lowerFirst(issue.message) }]
}

/** RFC 6901, section 3. A pointer that is too long ends in an ellipsis, and resolves to nothing. */
const pointerTo = (path: PropertyKey[]) =>
  cut(path.map((key) => `/${cut(String(key)).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''))
const cut = (text: string) => (text.length <= LIMITS.pointer ? text : `${text.slice(0, LIMITS.pointer).toWellFormed()}…`)
const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1)
