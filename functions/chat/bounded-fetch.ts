// `fetch` for an untrusted server: it limits the bytes of a response and follows no redirect.
import { AppError } from '../../shared/core/errors.ts'

/**
 * A `fetch` that reads at most `maxBytes` of a response, after decompression; then it aborts the request, and reading the body throws
 * AppError `bad_gateway`. A redirect is returned, not followed: the request carries an API key and the user's text.
 */
export function createBoundedFetch(maxBytes: number): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, { ...init, redirect: 'manual' })
    return response.body ? new Response(response.body.pipeThrough(bounded(maxBytes)), response) : response
  }
}

function bounded(maxBytes: number): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.byteLength
      if (bytes > maxBytes) throw new AppError('bad_gateway', "The language model's answer is too long.")
      controller.enqueue(chunk)
    },
  })
}
