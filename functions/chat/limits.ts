// The limits of one chat request.

export type ChatLimits = typeof chatLimits

export const chatLimits = {
  /** Until no new work begins: no model request, no tool call, no wait for the conversation. */
  timeMs: 55_000,
  /** After `timeMs`, for work in flight to finish. */
  graceMs: 2_000,
  /**
   * After `timeMs`, until the answer is sent even if work still hangs; releasing the lease may take half a second more. Also the longest
   * wait for an answer to be stored.
   */
  endingMs: 4_500,
  /** For the calls of a request about “everything”; the rest of `timeMs` is for the answer. */
  manyMs: 45_000,
  /** Model requests, not counting retries. */
  turns: 8,
  /** Tool calls. */
  calls: 24,
  /** Identical repeated calls before the loop is stopped. */
  repeats: 3,
  /** Of one call. */
  argumentChars: 16_000,
  /** Of one result, as the model and the conversation's rows get it. */
  resultChars: 12_000,
  /** Of one answer of the model. */
  outputTokens: 4_096,
  /** Text kept of one answer: a server may ignore its token limit. */
  answerBytes: 64_000,
  /** Of one whole HTTP response of the model's server. */
  bodyBytes: 4 * 1024 * 1024,
  /** Calls kept of one answer. */
  answerCalls: 100,
  /** Of earlier messages in the prompt. */
  historyTokens: 8_000,
  /** Messages (rows) read for it. */
  historyRows: 40,
  /** Retries of one model request while its server is overloaded or unavailable. */
  retries: 3,
  /** Before the first retry; doubles with each further one. */
  retryPauseMs: 500,
  /** Between two comments that keep a stream's connection open. */
  keepAliveMs: 15_000,
  /** After the end of a stream, for its client to read the rest. Until then the request counts towards its user's limit. */
  unreadMs: 10_000,
  /** Of an answer stored for retries; in a longer one the results of calls are shortened. */
  replyBytes: 64_000,
}

/** Estimates tokens at four bytes each: close enough for a budget with any model server. */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4)
}
