// What one request to chat may cost, in one place.

export type ChatLimits = typeof chatLimits

export const chatLimits = {
  /** Milliseconds until no new work begins: no question to the model, no tool, no wait for the conversation. */
  timeMs: 55_000,
  /** Milliseconds after that which work in flight gets. */
  graceMs: 2_000,
  /**
   * Milliseconds after `timeMs` until the answer is out, whatever still hangs; the release of the lease may take half a second more. Also
   * the milliseconds that any answer waits until it is stored.
   */
  endingMs: 4_500,
  /** Milliseconds for the calls of “everything”: the rest of `timeMs` is for the answer. */
  manyMs: 45_000,
  /** Times the model is asked. */
  turns: 8,
  /** Tools called. */
  calls: 24,
  /** Calls that repeat an earlier one word for word before the loop is given up. */
  repeats: 3,
  /** Characters of one call's arguments. */
  argumentChars: 16_000,
  /** Characters of one result, as the model and the conversation's rows get it. */
  resultChars: 12_000,
  /** Tokens the model may answer with, a turn. */
  outputTokens: 4_096,
  /** Bytes of text that are kept of one answer: a server need not keep to its limit of tokens. */
  answerBytes: 64_000,
  /** Bytes of one HTTP response of the model's server that are read, envelope and all. */
  bodyBytes: 4 * 1024 * 1024,
  /** Calls that are kept of one answer. */
  answerCalls: 100,
  /** Tokens of earlier messages that the model is shown. */
  historyTokens: 8_000,
  /** Messages (rows) that are looked at for it. */
  historyRows: 40,
  /** Times a model server that is overloaded or away is asked again, a turn. */
  retries: 3,
  /** Milliseconds before the first of them, twice as many before the next, and so on. */
  retryPauseMs: 500,
  /** Milliseconds between two comments that keep a stream's connection alive. */
  keepAliveMs: 15_000,
  /** Milliseconds after the end of a stream that its client has to read the rest: until then the request occupies its user's share. */
  unreadMs: 10_000,
  /** Bytes of an answer that are stored in full for a retry; in a longer one the results of calls are shortened. */
  replyBytes: 64_000,
}

/** About four bytes a token: an estimate that every model server agrees with well enough for a budget. */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4)
}
