import { ok, type Outcome, type Problem, type Result } from '@barnabas/domain'
import type { ConnectionOptions } from 'node:tls'
import { HttpTarget } from '../http/http-target.js'
import { TokenSource, type ClientCredentials, type Token } from '../http/oauth2-token.js'
import type { Network } from '../network/network.js'
import type { WebhookSettings } from './webhook.fields.js'

const DEFAULT_API_KEY_HEADER = 'x-api-key'

/** What authenticates one request. `token`: where it came from, when it may be stale. */
export interface Proof {
  readonly headers: Readonly<Record<string, string>>
  readonly token: Token | null
}

/** How requests prove who sends them. Safe for concurrent use. */
export interface Authentication {
  /** What the next request carries, or the outcome of an attempt that cannot be made without. */
  proof(): Promise<Result<Proof, Outcome>>
  /**
   * The target answered 401 to a request with this proof, for an event that was begun with at `askedAtMs`. Whether it
   * may be asked again, with the next proof.
   */
  refused(proof: Proof, askedAtMs: number): boolean
  close(): Promise<void>
}

/** The header that an authentication fills in, in lower case; no custom header may. */
export function authenticationHeader({ config }: WebhookSettings): string | null {
  if (config.auth === 'none') return null
  if (config.auth === 'api_key') return (config.api_key_header ?? DEFAULT_API_KEY_HEADER).toLowerCase()
  return 'authorization'
}

const NEEDED: Readonly<Record<WebhookSettings['config']['auth'], readonly Path[]>> = {
  none: [],
  basic: ['config.username', 'credentials.password'],
  bearer: ['credentials.token'],
  api_key: ['credentials.api_key'],
  oauth2: ['config.token_url', 'config.client_id', 'credentials.client_secret'],
}

type Path =
  `config.${keyof WebhookSettings['config']}` | `credentials.${keyof WebhookSettings['credentials']}`

/** The settings that the chosen authentication lacks. */
export function checkAuthentication({ config, credentials }: WebhookSettings): Problem[] {
  const given = new Set([
    ...Object.keys(config).map((name) => `config.${name}`),
    ...Object.keys(credentials).map((name) => `credentials.${name}`),
  ])
  return NEEDED[config.auth]
    .filter((path) => !given.has(path))
    .map((path) => ({ path, message: `is required when config.auth is ${config.auth}` }))
}

/** Opens no connection. The settings have passed `checkAuthentication`. */
export function authenticationOf(
  { config, credentials }: WebhookSettings,
  network: Network,
  tls: ConnectionOptions,
): Authentication {
  switch (config.auth) {
    case 'none':
      return fixed({})
    case 'basic':
      return fixed({ authorization: `Basic ${base64(`${config.username}:${credentials.password}`)}` })
    case 'bearer':
      return fixed({ authorization: `Bearer ${credentials.token}` })
    case 'api_key': {
      const name = (config.api_key_header ?? DEFAULT_API_KEY_HEADER).toLowerCase()
      return fixed({ [name]: credentials.api_key ?? '' })
    }
    case 'oauth2':
      return byToken(
        new TokenSource(
          new HttpTarget(config.token_url ?? '', network, { tls }),
          clientOf(config, credentials),
        ),
      )
  }
}

const clientOf = (
  { client_id, client_auth, scope, audience }: WebhookSettings['config'],
  { client_secret }: WebhookSettings['credentials'],
): ClientCredentials => ({
  clientId: client_id ?? '',
  clientSecret: client_secret ?? '',
  sentIn: client_auth ?? 'basic',
  ...(scope === undefined ? {} : { scope }),
  ...(audience === undefined ? {} : { audience }),
})

const base64 = (text: string): string => Buffer.from(text).toString('base64')

const fixed = (headers: Readonly<Record<string, string>>): Authentication => ({
  proof: () => Promise.resolve(ok({ headers, token: null })),
  refused: () => false,
  close: () => Promise.resolve(),
})

const byToken = (source: TokenSource): Authentication => ({
  proof: async () => {
    const token = await source.token()
    if (!token.ok) return token
    return ok({ headers: { authorization: `Bearer ${token.value.text}` }, token: token.value })
  },
  refused: ({ token }, askedAtMs) => token !== null && source.refused(token, askedAtMs),
  close: () => source.close(),
})
