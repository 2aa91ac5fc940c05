// Accounts: our own, and the accounts of foreign issuers.
import { instant, sql } from '@todo/prisma'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import type { Context, UserContext } from '../core/context.ts'
import { AppError, invalid } from '../core/errors.ts'
import { constraintOf } from '../core/failure.ts'
import { operation } from '../core/operation.ts'
import { text, verbatim } from '../core/text.ts'

/** What registering and logging in need besides the database. */
export type AccountContext = Context & {
  passwords: {
    hash(password: string): Promise<string>
    /** Takes the same time when there is no hash to compare with. */
    verify(hash: string | undefined, password: string): Promise<boolean>
    /** Whether it is one of the passwords that are guessed first. */
    isCommon(password: string): Promise<boolean>
  }
  /** An access token and its lifetime in seconds. */
  issueToken(user: { id: string; email: string }): Promise<{ token: string; expiresIn: number }>
}

/** Normalised: no surrounding space, lower case throughout. Two spellings of one address are one account. */
const Email = z.string().trim().toLowerCase().max(254).check(z.email())
/**
 * Characters that show nothing, or break the line: two names that differ in them look the same. The five at the end have no Unicode property
 * of their own: the blank Braille pattern, the null notehead, the Khitan filler and two blank hieroglyphs.
 */
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u{2800}\u{1D159}\u{16FE4}\u{13441}\u{13442}]/u
const Username = text(1, 50)
  .refine((value) => !INVISIBLE.test(value), 'must not contain control or invisible characters')
  .describe('Unique, whatever the case')
const NewPassword = verbatim(8, 128).describe('8 to 128 characters; none of the most common passwords')

const example = {
  id: '019e1c69-02aa-7f7e-8d55-61c0f3b7d9e4',
  email: 'ada@example.com',
  username: 'ada',
  created_at: '2027-01-10T08:15:30.123Z',
}

export const Account = z
  .strictObject({ id: z.string(), email: z.string(), username: z.string(), created_at: z.iso.datetime() })
  .meta({ id: 'Account', example })

export const Register = z
  .strictObject({ email: Email, username: Username, password: NewPassword })
  .meta({ example: { email: 'ada@example.com', username: 'ada', password: 'correct horse battery' } })

export const Login = z
  .strictObject({ email: Email, password: verbatim(1, 1024) })
  .meta({ example: { email: 'ada@example.com', password: 'correct horse battery' } })

export const Session = z
  .strictObject({
    access_token: z.string(),
    token_type: z.literal('bearer'),
    expires_in: z.int().describe('Seconds'),
    user: Account,
  })
  .meta({
    id: 'Session',
    example: { access_token: 'eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln', token_type: 'bearer', expires_in: 1800, user: example },
  })

export const Profile = z
  .strictObject({
    user_id: z.string(),
    email: z.string().nullable(),
    username: z.string().nullable().describe("null for a foreign issuer's user without one"),
    created_at: z.iso.datetime(),
  })
  .meta({
    id: 'Profile',
    example: { user_id: example.id, email: example.email, username: example.username, created_at: example.created_at },
  })

export const TokenStatus = z
  .strictObject({ valid: z.literal(true), user_id: z.string(), message: z.string(), expires_at: z.iso.datetime() })
  .meta({
    id: 'TokenStatus',
    example: { valid: true, user_id: example.id, message: 'Token is valid', expires_at: '2027-01-10T08:45:30.000Z' },
  })

const Nothing = z.strictObject({})

const Row = z.strictObject({ id: z.string(), email: z.string().nullable(), username: z.string().nullable(), created_at: z.date() })
type Row = z.output<typeof Row>
const LoginRow = Row.extend({ password_hash: z.string().nullable() })

export const registerUser = operation(
  { name: 'register', summary: 'Create an account.', effect: 'write', input: Register, output: Account, errors: ['conflict', 'throttled'] },
  async ({ db, passwords, clock }: AccountContext, { email, username, password }) => {
    if (await passwords.isCommon(password))
      throw invalid('/password', 'This password is one of the most common ones. Please choose another.')
    const passwordHash = await passwords.hash(password)
    const prisma = await db.prisma()
    try {
      const { id, createdAt } = await prisma.user.create({
        data: { id: uuidv7(), email, username, usernameKey: usernameKey(username), passwordHash, createdAt: clock() },
      })
      return { id, email, username, created_at: createdAt.toISOString() }
    } catch (error) {
      throw taken(constraintOf(error)) ?? error
    }
  },
)

export const loginUser = operation(
  {
    name: 'login',
    summary: 'Exchange an email address and a password for an access token.',
    effect: 'read',
    input: Login,
    output: Session,
    errors: ['unauthenticated', 'throttled'],
  },
  async ({ db, passwords, issueToken }: AccountContext, { email, password }) => {
    const [user] = await db.query(sql`SELECT id, email, username, password_hash, created_at FROM users WHERE email = ${email}`, LoginRow)
    const matches = await passwords.verify(user?.password_hash ?? undefined, password)
    if (!user?.username || !matches) throw new AppError('unauthenticated', 'Email or password is incorrect.')
    const { token, expiresIn } = await issueToken({ id: user.id, email })
    return {
      access_token: token,
      token_type: 'bearer' as const,
      expires_in: expiresIn,
      user: { id: user.id, email, username: user.username, created_at: user.created_at.toISOString() },
    }
  },
)

export const getProfile = operation(
  { name: 'who_am_i', summary: 'Show the account behind the token.', effect: 'read', input: Nothing, output: Profile },
  async (ctx: UserContext) => {
    const user = (await ownRow(ctx)) ?? (await provisionUser(ctx))
    return { user_id: user.id, email: user.email ?? ctx.actor.email, username: user.username, created_at: user.created_at.toISOString() }
  },
)

export const validateToken = operation(
  {
    name: 'validate_token',
    summary: 'Say whether the token is good, and until when.',
    effect: 'read',
    input: Nothing,
    output: TokenStatus,
  },
  async ({ actor }: UserContext) => ({
    valid: true as const,
    user_id: actor.userId,
    message: 'Token is valid',
    expires_at: actor.expiresAt.toISOString(),
  }),
)

/**
 * Gives a foreign issuer's user the row that their data hangs on. Safe to call twice, and at once.
 * @throws AppError `unauthenticated` when the account was ours and has been deleted, or belongs to another issuer.
 */
async function provisionUser(ctx: UserContext): Promise<Row> {
  const { db, actor, clock } = ctx
  const gone = () => new AppError('unauthenticated', 'This account no longer exists.')
  if (actor.issuer === null) throw gone()
  const { userId: id, issuer, name: username } = actor
  await db.execute(sql`
    INSERT INTO users (id, issuer, username, created_at) VALUES (${id}, ${issuer}, ${username}, ${instant(clock())}) ON CONFLICT DO NOTHING`)
  const user = await ownRow(ctx)
  if (!user) throw gone()
  return user
}

/** The caller's row. The same id from another issuer is another user. */
async function ownRow({ db, actor }: UserContext): Promise<Row | undefined> {
  const [row] = await db.query(
    sql`SELECT id, email, username, created_at FROM users WHERE id = ${actor.userId} AND issuer IS NOT DISTINCT FROM ${actor.issuer}`,
    Row,
  )
  return row
}

/** Runs a first write: a foreign issuer's user has no row until then. The foreign key of every owned table is named `…_user_id_fkey`. */
export async function withOwner<T>(ctx: UserContext, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (!constraintOf(error)?.endsWith('_user_id_fkey')) throw error
    await provisionUser(ctx)
    return write()
  }
}

/** How usernames are compared: in NFKC, so that compatible spellings of one name are one, and by upper case first, so that σ and ς are. */
function usernameKey(username: string): string {
  return username.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC')
}

function taken(constraint: string | undefined): AppError | undefined {
  const field = { users_email_key: 'email', users_username_key_key: 'username' }[constraint ?? '']
  if (!field) return undefined
  const detail = field === 'email' ? 'This email address is already registered.' : 'This username is already taken.'
  return new AppError('conflict', detail, { issues: [{ pointer: `/${field}`, detail }] })
}
