// What one request to chat may cost, in one place.

export type ChatLimits = typeof chatLimits

export const chatLimits = {
  /** Milliseconds for the whole request: waiting for the conversation, the model's turns, the tools. */
  time: 60_000,
  /** Milliseconds for calls that “everything” comes to: the rest of `time` is for the answer. */
  manyMs: 45_000,
  /** Times the model is asked. */
  turns: 8,
  /** Tools called. */
  calls: 24,
  /** Calls that repeat an earlier one word for word before the loop is given up. */
  repeats: 3,
  /** Characters of one call's arguments. */
  arguments: 16_000,
  /** Characters of one result, as the model and the conversation's rows get it. */
  result: 12_000,
  /** Tokens the model may answer with, a turn. */
  outputTokens: 4_096,
  /** Tokens of earlier messages that the model is shown. */
  historyTokens: 8_000,
  /** Messages (rows) that are looked at for it. */
  historyRows: 40,
  /** Times a model server that is overloaded or away is asked again, a turn. */
  retries: 3,
  /** Milliseconds before the first of them, twice as many before the next, and so on. */
  retryPause: 500,
  /** Milliseconds between two comments that keep a stream's connection alive. */
  keepAlive: 15_000,
}

/** About four bytes a token: an estimate that every model server agrees with well enough for a budget. */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4)
}
