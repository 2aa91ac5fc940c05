// Every environment variable: its form, default and meaning. `main.ts` files read them here.
import { isIP } from 'node:net'
import { StartupError } from '@todo/prisma/startup-error'
import { z } from 'zod'
import { LOG_LEVELS } from '../core/log.ts'
import type { AdmissionLimits } from '../http/admission.ts'
import type { TrustedProxies } from '../http/client-address.ts'
import type { ForeignIssuer } from '../identity/issuers.ts'
import type { OwnIssuer, SigningKeys } from '../identity/tokens.ts'

/** Each form's description appears in the README's table and in error messages. */
const whole = (min: number, max: number) => {
  const form = `a whole number from ${min} to ${max}`
  return z
    .string()
    .regex(/^\d{1,9}$/, `must be ${form}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be ${form}`)
    .describe(form)
}
const flag = z
  .enum(['true', 'false'], 'must be true or false')
  .transform((value) => value === 'true')
  .describe('true or false')
const logLevel = z.enum(LOG_LEVELS, 'must be error, warn or info').describe('`error`, `warn` or `info`')
const itemsOf = (value: string) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean)
const list = z.string().transform(itemsOf).describe('a list, separated by commas')
const name = z.string().min(1).max(255).describe('1 to 255 characters')
const url = z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).describe('an https URL; http on loopback')

/** RFC 7518, section 3.2: an HS256 key has at least 256 bits. */
const secret = z
  .string()
  .refine((value) => Buffer.byteLength(value) >= 32, 'must have at least 32 bytes; `openssl rand -base64 32` makes one')
  .describe('at least 32 bytes')
const secrets = z
  .string()
  .transform((value, context): SigningKeys => {
    const entries = value.split(',').map((entry) => /^\s*(\w{1,32}):(.+?)\s*$/.exec(entry))
    const pairs = entries.flatMap((match) => (match?.[1] && match[2] ? [[match[1], Buffer.from(match[2])] as const] : []))
    const sound =
      pairs.length === entries.length &&
      pairs.every(([, key]) => key.length >= 32) &&
      new Set(pairs.map(([id]) => id)).size === pairs.length
    if (!sound || !pairs[0]) context.addIssue('must look like "2:new secret,1:old secret", each secret of at least 32 bytes')
    return { current: pairs[0]?.[0] ?? '', secrets: new Map(pairs) }
  })
  .describe('`id:secret` pairs, separated by commas; each secret at least 32 bytes')

/** The core attributes (CloudEvents 1.0, section 3), which no override may replace. */
const CORE = ['id', 'source', 'specversion', 'type', 'datacontenttype', 'dataschema', 'subject', 'time', 'data']
const extension = z
  .string()
  .regex(/^[a-z0-9]{1,20}$/)
  .refine((name) => !CORE.includes(name))
const Overrides = z.strictObject({ extensions: z.record(extension, z.string().min(1).max(1024)).optional() })
const ceOverrides = z
  .string()
  .transform((value, context) => {
    const { data } = Overrides.safeParse(fromJson(value))
    if (!data) context.addIssue('must look like {"extensions":{"name":"value"}}, each name of 1 to 20 small letters and digits')
    return data?.extensions ?? {}
  })
  .describe('`{"extensions":{"name":"value"}}`')

/** With these, every caller with a private address could choose its own client address. */
const TOO_WIDE = ['linklocal', 'uniquelocal']
const trustedProxies = z
  .string()
  .transform((value, context): TrustedProxies => {
    const [, hops] = /^\s*hops:([1-9])\s*$/.exec(value) ?? []
    if (hops) return { type: 'hops', hops: Number(hops) }
    const addresses = itemsOf(value)
    if (addresses.some((entry) => TOO_WIDE.includes(entry))) {
      context.addIssue(
        'no longer takes `linklocal` and `uniquelocal`: name the addresses or CIDR blocks of your proxies, or count them, as in `hops:1`',
      )
    } else if (!addresses.every(isProxy)) {
      context.addIssue('must be `hops:1` to `hops:9`, or addresses, CIDR blocks and loopback, separated by commas')
    }
    return { type: 'addresses', addresses }
  })
  .describe('`hops:1` to `hops:9`; or addresses, CIDR blocks, `loopback`, separated by commas')

/** `example` marks a variable that most set-ups need: .env.example sets it. */
const variable = <S extends z.ZodType<unknown, string>>(schema: S, meaning: string, example?: string) => ({
  schema: schema.optional(),
  form: schema.description ?? '',
  meaning,
  ...(example === undefined ? {} : { example }),
})
const variableOr = <S extends z.ZodType<unknown, string>>(fallback: string, schema: S, meaning: string) => ({
  schema: schema.prefault(fallback as z.input<S>),
  default: fallback,
  form: schema.description ?? '',
  meaning,
})

export const variables = {
  PORT: variableOr('8000', whole(0, 65535), 'The port to listen on; 0 picks a free one. Knative sets it'),
  HOST: variable(name, 'The address to listen on. Default: every address; `npm start` listens on 127.0.0.1'),
  DATABASE_URL: variable(
    z.string().min(1).describe('`postgresql://user:password@host:port/database`'),
    'PostgreSQL 15 or later; outside loopback with `sslmode=verify-full`, through a transaction pooler (PgBouncer; Neon is known by its name) with `pgbouncer=true`. Needed, but by `npm start`, which brings a server of its own',
    'postgresql://user:password@localhost:5432/todo',
  ),
  DATABASE_ALLOW_INSECURE: variableOr('false', flag, 'Allow a database outside loopback without verified TLS'),
  DATABASE_POOL_SIZE: variableOr(
    '5',
    whole(1, 100),
    'Connections a process opens at the most; for a moment one more, while one of them is silent',
  ),
  BETTER_AUTH_SECRET: variable(
    secret,
    'Signs and verifies our own tokens. Needed, unless BETTER_AUTH_SECRETS is set; `npm start` makes one',
    '',
  ),
  BETTER_AUTH_SECRETS: variable(
    secrets,
    'For rotating it: `2:new,1:old`. The first signs, all verify. Counts instead of BETTER_AUTH_SECRET',
  ),
  TOKEN_ISSUER: variableOr('todo-auth', name, 'The `iss` of our own tokens'),
  TOKEN_AUDIENCE: variableOr('todo-api', name, 'The `aud` of our own tokens'),
  TOKEN_LIFETIME_SECONDS: variableOr('1800', whole(60, 86_400), 'How long our own tokens are good for'),
  BETTER_AUTH_ISSUER: variable(name, 'The `iss` of a Better Auth server whose tokens are accepted too. The three go together'),
  BETTER_AUTH_JWKS_URL: variable(
    url.refine(isHttpsOrLoopback, 'must be https outside loopback').describe(url.description ?? ''),
    "That server's keys, e.g. `https://app.example.com/api/auth/jwks`",
  ),
  BETTER_AUTH_AUDIENCE: variable(name, "That server's `aud`; by default Better Auth uses its base URL for both"),
  OPENAI_API_KEY: variable(
    name,
    'The key of the language model behind chat; any word for a server that asks for none, such as Ollama. Without it the built-in interpreter answers',
  ),
  OPENAI_BASE_URL: variable(
    url.describe('an http(s) URL'),
    "A server that speaks OpenAI's chat completions, e.g. `http://localhost:11434/v1`. Default: OpenAI itself",
  ),
  OPENAI_MODEL: variableOr('gpt-5-mini', name, 'The name of the model; it must be able to call tools'),
  CHAT_TOKENS_PER_DAY: variableOr(
    '200000',
    whole(0, 999_999_999),
    "Tokens of the language model that one user's chats may cost a day (UTC)",
  ),
  K_SINK: variable(
    url.refine(hasNoCredentials, 'must hold no user name or password').describe('an http(s) URL'),
    'URL that receives todo events (CloudEvents). Knative sets it (SinkBinding). Unset: no events are written',
  ),
  K_CE_OVERRIDES: variable(ceOverrides, 'Attributes that every event carries besides its own. Knative sets it (SinkBinding)'),
  CORS_ORIGINS: variableOr(
    '',
    list
      .refine((origins) => origins.every(isOrigin), 'must be origins such as https://app.example.com, separated by commas, or *')
      .describe('origins, separated by commas; `*`; `loopback`'),
    'Web origins that may call; `*` for any; `loopback` for any on this machine, which is the default of `npm start`',
  ),
  TRUSTED_PROXIES: variableOr(
    '',
    trustedProxies,
    'The proxies before `auth`, whose entries in X-Forwarded-For count: how many there are, or where. Without it all callers behind a proxy are throttled as one. On a cluster see “Callers’ addresses”',
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: variable(
    url.describe('an http(s) URL'),
    'A collector that takes traces by OTLP over HTTP, e.g. `http://otel-collector:4318`. Without it none are made. `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` and the other `OTEL_EXPORTER_OTLP_…` count as they do everywhere',
  ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: variable(url.describe('an http(s) URL'), 'The same, as the whole address that traces are posted to'),
  K_SERVICE: variableOr('todo', name, 'What traces call this service, unless `OTEL_SERVICE_NAME` is set. Knative sets it'),
  LOG_LEVEL: variableOr('info', logLevel, 'The least severe lines that are logged; `info` has a line for each request'),
  DATA_DIRECTORY: variableOr(
    '.data',
    z.string().min(1).describe('a directory, made when missing'),
    'Only for `npm start`: where it keeps its database and the secret it makes',
  ),
  PUBLIC_URL: variable(
    url
      .refine((value) => isOrigin(value), 'must be an origin such as https://todo.example.com')
      .describe('an origin such as `https://todo.example.com`'),
    'The origin at which callers reach the API, for links to MCP clients. Default: the address of the request. With https, browsers get HSTS',
  ),
  MAX_RUNNING: variable(
    whole(1, 10_000),
    'Requests that a process works on at the same time, health checks aside. Default: 4 for each connection of DATABASE_POOL_SIZE',
  ),
  MAX_WAIT_MS: variableOr(
    '500',
    whole(1, 60_000),
    'Milliseconds that a request may wait to be worked on; one that cannot begin by then is answered with 503',
  ),
  USER_MAX_RUNNING: variableOr('8', whole(1, 10_000), 'Requests of one user that a process runs at the same time'),
  USER_MAX_WAITING: variableOr('32', whole(0, 10_000), 'Requests of one user that wait for those to end; one more is answered with 429'),
  USER_MAX_OPEN_TODOS: variableOr('10000', whole(1, 999_999_999), 'Open todos that one user may have'),
  USER_MAX_CONVERSATIONS: variableOr('1000', whole(1, 999_999_999), 'Conversations that one user may have'),
  CHAT_MESSAGES_PER_MINUTE: variableOr('30', whole(1, 1_000_000), 'Chat messages that one user may send a minute'),
  MCP_TICKETS_PER_MINUTE: variableOr('10', whole(1, 1_000_000), 'Tickets for WebSockets that one user may get a minute'),
  MCP_MAX_CONNECTIONS: variableOr('1000', whole(1, 100_000), 'WebSockets that a process keeps at the most; more are answered with 503'),
  MCP_MAX_CONNECTIONS_PER_USER: variableOr(
    '20',
    whole(1, 100_000),
    'WebSockets of one user that a process keeps; one more is answered with 429',
  ),
  MCP_MAX_HELD_BYTES: variableOr(
    '67108864',
    whole(1_048_576, 999_999_999),
    'Bytes of unread answers and unprocessed messages that all WebSockets of a process may hold; above, the sockets with the most bytes are closed with 1013',
  ),
  MCP_MAX_CONNECTION_SECONDS: variableOr(
    '600',
    whole(1, 86_400),
    "A WebSocket ends itself before it is that old, when 80 to 95 % have passed. Not above the platform's limit (`timeoutSeconds`)",
  ),
}

type Variables = typeof variables
export type Env = { [Name in keyof Variables]: z.output<Variables[Name]['schema']> }

/** An invalid variable. The message is one line with its name, but never its value, which may be a secret. */
export class EnvError extends StartupError {
  override name = 'EnvError'
}

/** Reads all variables. An empty one counts as not set. @throws EnvError */
export function readEnv(source: Record<string, string | undefined>): Env {
  const entries = Object.entries(variables).map(([name, { schema }]) => {
    const result = schema.safeParse(source[name] || undefined)
    if (!result.success) throw new EnvError(`${name}: ${result.error.issues[0]?.message ?? 'is not valid'}`)
    return [name, result.data]
  })
  return Object.fromEntries(entries)
}

/** @throws EnvError when there is neither BETTER_AUTH_SECRETS nor BETTER_AUTH_SECRET */
export function ownIssuer(env: Env): OwnIssuer {
  const { BETTER_AUTH_SECRET: single, BETTER_AUTH_SECRETS: rotated } = env
  const keys = rotated ?? (single === undefined ? undefined : { current: '1', secrets: new Map([['1', Buffer.from(single)]]) })
  if (!keys) throw new EnvError('BETTER_AUTH_SECRET: must be set; `openssl rand -base64 32` makes one')
  return { keys, issuer: env.TOKEN_ISSUER, audience: env.TOKEN_AUDIENCE, lifetime: env.TOKEN_LIFETIME_SECONDS }
}

/** The Better Auth server whose tokens are accepted, if one is configured. @throws EnvError when half of one is */
export function foreignIssuer(env: Env): ForeignIssuer | undefined {
  const { BETTER_AUTH_ISSUER: issuer, BETTER_AUTH_JWKS_URL: jwksUrl, BETTER_AUTH_AUDIENCE: audience } = env
  if (!issuer && !jwksUrl && !audience) return undefined
  if (!issuer || !jwksUrl || !audience) {
    throw new EnvError(
      `${!issuer ? 'BETTER_AUTH_ISSUER' : !jwksUrl ? 'BETTER_AUTH_JWKS_URL' : 'BETTER_AUTH_AUDIENCE'}: must be set, as the other two of the Better Auth server are`,
    )
  }
  if (issuer === env.TOKEN_ISSUER) throw new EnvError('BETTER_AUTH_ISSUER: must differ from TOKEN_ISSUER')
  return { issuer, jwksUrl, audience }
}

/** @throws EnvError when it is not set */
export function databaseOptions(env: Env) {
  if (env.DATABASE_URL === undefined) throw new EnvError('DATABASE_URL: must be set')
  return { url: env.DATABASE_URL, allowInsecure: env.DATABASE_ALLOW_INSECURE, poolSize: env.DATABASE_POOL_SIZE }
}

/** Running requests per database connection: enough that a request is always ready to use a free one. */
const RUNNING_PER_CONNECTION = 4

export function admissionLimits(env: Env): AdmissionLimits {
  return { running: env.MAX_RUNNING ?? RUNNING_PER_CONNECTION * env.DATABASE_POOL_SIZE, waitMs: env.MAX_WAIT_MS }
}

function isOrigin(value: string): boolean {
  return value === '*' || value === 'loopback' || (URL.parse(value)?.origin === value && !value.includes('*'))
}

function hasNoCredentials(value: string): boolean {
  const url = URL.parse(value)
  return url?.username === '' && url.password === ''
}

function fromJson(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    return undefined
  }
}

function isHttpsOrLoopback(value: string): boolean {
  const url = URL.parse(value)
  return url?.protocol === 'https:' || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url?.hostname ?? '')
}

function isProxy(value: string): boolean {
  if (value === 'loopback') return true
  const [, address = '', prefix] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(value) ?? []
  const bits = isIP(address) === 4 ? 32 : isIP(address) === 6 ? 128 : 0
  return bits > 0 && (prefix === undefined || (Number(prefix) >= 1 && Number(prefix) <= bits))
}
