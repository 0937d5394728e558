import type { Outcome } from '@barnabas/domain'
import { HttpTarget } from '../http/http-target.js'
import type { Network } from '../network/network.js'
import { failedWith, outcomeOfError } from '../outcomes.js'
import { JudgedError } from './kafka.outcome.js'

export interface TokenSettings {
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
  readonly scope: string | undefined
}

const REQUEST_TIMEOUT_MS = 10_000
const MILLISECONDS = 1_000
/** RFC 6749 §5.1 leaves it out when it is known by other means; it is not, here. */
const DEFAULT_LIFETIME_SECONDS = 300
/** A token that ends while a connection is being made is of no use. */
const SPARE_MS = 30_000

interface Token {
  readonly value: string
  readonly usableUntilMs: number
}

/** Client credentials grant (RFC 6749 §4.4). Holds the token until shortly before its end; safe for concurrent use. */
export class TokenSource {
  private readonly target: HttpTarget
  private token: Token | null = null
  private asking: Promise<Token> | null = null

  constructor(
    private readonly settings: TokenSettings,
    network: Network,
    private readonly nowMs: () => number = Date.now,
  ) {
    this.target = new HttpTarget(settings.url, network)
  }

  /** Rejects with `JudgedError`. */
  async get(): Promise<string> {
    const { token } = this
    if (token && token.usableUntilMs > this.nowMs()) return token.value
    this.asking ??= this.ask().finally(() => (this.asking = null))
    this.token = await this.asking
    return this.token.value
  }

  close(): Promise<void> {
    return this.target.close()
  }

  private async ask(): Promise<Token> {
    const { clientId, clientSecret, scope } = this.settings
    const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope ? { scope } : {}) })
    const login = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`
    const request = {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
        authorization: `Basic ${Buffer.from(login).toString('base64')}`,
      },
      body: form.toString(),
    } as const
    const answer = await this.target
      .request(request, AbortSignal.timeout(REQUEST_TIMEOUT_MS))
      .catch((error: unknown) => {
        throw new JudgedError(outcomeOfError(error))
      })
    const token = answer.status === 200 ? readToken(answer.body, this.nowMs()) : null
    if (!token) throw new JudgedError(outcomeOfStatus(answer.status))
    return token
  }
}

/** RFC 6749 §5.2: 400 and 401 are about the client, its secret or the scope. */
const REFUSALS = new Set([400, 401, 403])

const outcomeOfStatus = (status: number): Outcome =>
  REFUSALS.has(status)
    ? failedWith('credentials_rejected', `The token endpoint refused the client with ${status}.`)
    : failedWith('target_failed', `The token endpoint answered ${status} without a token.`)

function readToken(body: Buffer, nowMs: number): Token | null {
  try {
    const { access_token: value, expires_in: lifetime } = JSON.parse(body.toString('utf8')) as Record<
      string,
      unknown
    >
    if (typeof value !== 'string' || value === '') return null
    const seconds = typeof lifetime === 'number' && lifetime > 0 ? lifetime : DEFAULT_LIFETIME_SECONDS
    const lifetimeMs = seconds * MILLISECONDS
    return { value, usableUntilMs: nowMs + Math.max(lifetimeMs - SPARE_MS, lifetimeMs / 2) }
  } catch {
    return null
  }
}
