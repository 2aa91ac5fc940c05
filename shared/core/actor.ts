// The caller of an operation, as the verified access token describes it.

/** The only source of a user's id: operations and queries take it from nowhere else. */
export type Actor = {
  userId: string
  /** The foreign issuer's `iss`; null for our own accounts. */
  issuer: string | null
  email: string | null
  /** A display name, when the token carries one. */
  name: string | null
  /** When the token expires. */
  expiresAt: Date
  /** The token has the scope `todos:read` alone. */
  readOnly: boolean
}

/** Paths may say `me` instead of the caller's id. No user has this id: the token verifier rejects it as a foreign `sub`. */
export const ME = 'me'
