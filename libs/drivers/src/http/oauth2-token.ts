import { DAY, failed, ok, SECOND, type Outcome, type Result } from '@barnabas/domain'
import { failedWith, outcomeOfError } from '../outcomes.js'
import { parseRetryAfterMs } from './http-outcome.js'
import type { HttpResponse, HttpTarget } from './http-target.js'

export interface ClientCredentials {
  readonly clientId: string
  readonly clientSecret: string
  readonly scope?: string
  readonly audience?: string
  /** Where id and secret stand in the request (RFC 6749 §2.3.1). */
  readonly sentIn: 'basic' | 'body'
}

export interface Token {
  readonly text: string
  readonly fetchedAtMs: number
  readonly untilMs: number
}

/** A token server answers at once or is in trouble; more than one attempt's time limit helps nobody. */
const FETCH_TIMEOUT_MS = 10_000
/** A token is not used in its last moments: it must still be valid when the target looks at it. */
const MARGIN_MS = 30 * SECOND
/** Of short-lived tokens the margin is this part of their life. */
const MARGIN_PART = 0.1
/** Of a token that names no life; RFC 6749 §5.1 leaves it to the documentation of the server. */
const UNKNOWN_LIFE_MS = 300 * SECOND
/** A server that names a longer life, or one without an end, may be wrong, and not all targets say so with a 401. */
const MAX_LIFE_MS = DAY
/** A target that refuses a token which was fetched for it refuses others too: for so long none is fetched for that. */
const PAUSE_MS = 5 * SECOND
/** RFC 6750 §2.1; anything else would break the header. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/

/**
 * Access tokens by OAuth 2.0 client credentials (RFC 6749 §4.4). One is fetched when it is needed, kept until shortly
 * before it expires, and fetched once however many ask at a time. Safe for concurrent use.
 */
export class TokenSource {
  private current: Token | null = null
  private fetching: Promise<Result<Token, Outcome>> | null = null
  private pauseEndsAtMs = 0
  private readonly ending = new AbortController()

  constructor(
    private readonly server: HttpTarget,
    private readonly client: ClientCredentials,
    private readonly limitMs = FETCH_TIMEOUT_MS,
  ) {}

  /** The outcome of an attempt that got none, otherwise. Ends by itself after `limitMs`, 10 s unless given. */
  token(): Promise<Result<Token, Outcome>> {
    if (this.current && Date.now() < this.current.untilMs) return Promise.resolve(ok(this.current))
    this.fetching ??= this.fetch().finally(() => {
      this.fetching = null
    })
    return this.fetching
  }

  /**
   * To be called with a token that the target refused, and when the work that it was for began. True when another one
   * may help, which is what `token` resolves to next; one that was fetched meanwhile stays. False for one that was
   * fetched for this very work, and for some seconds after that.
   */
  refused(token: Token, beganAtMs: number): boolean {
    const nowMs = Date.now()
    if (token.fetchedAtMs >= beganAtMs) {
      this.pauseEndsAtMs = nowMs + PAUSE_MS
      return false
    }
    if (nowMs < this.pauseEndsAtMs) return false
    if (this.current === token) this.current = null
    return true
  }

  /** Gives up a fetch that nobody waits for any more. */
  async close(): Promise<void> {
    this.ending.abort()
    await this.server.close()
  }

  private async fetch(): Promise<Result<Token, Outcome>> {
    const signal = AbortSignal.any([this.ending.signal, AbortSignal.timeout(this.limitMs)])
    try {
      const response = await this.server.request(requestOf(this.client), signal)
      if (response.status === 200 && response.isBodyCut && signal.aborted) return failed(unfit('timeout'))
      const read = readToken(response, Date.now())
      if (read.ok) this.current = read.value
      return read
    } catch (error) {
      return failed(signal.aborted ? unfit('timeout') : told(outcomeOfError(error)))
    }
  }
}

const told = (outcome: Outcome): Outcome =>
  outcome.kind === 'delivered'
    ? outcome
    : { ...outcome, detail: `No token could be fetched from the token URL. ${outcome.detail}` }

const unfit = (...given: Parameters<typeof failedWith>): Outcome => told(failedWith(...given))

function requestOf({ clientId, clientSecret, scope, audience, sentIn }: ClientCredentials) {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(scope === undefined ? {} : { scope }),
    ...(audience === undefined ? {} : { audience }),
    ...(sentIn === 'body' ? { client_id: clientId, client_secret: clientSecret } : {}),
  })
  // RFC 6749 §2.3.1: both are form-encoded before they become user name and password.
  const basic = Buffer.from(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`).toString('base64')
  return {
    method: 'POST' as const,
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      ...(sentIn === 'basic' ? { authorization: `Basic ${basic}` } : {}),
    },
    body: form.toString(),
  }
}

const formEncoded = (value: string): string => new URLSearchParams({ v: value }).toString().slice('v='.length)

/** Pure: what an answer of a token server (RFC 6749 §5) means. */
export function readToken(response: HttpResponse, nowMs: number): Result<Token, Outcome> {
  const { status } = response
  if (status !== 200) return failed(refusal(response, nowMs))
  const body = jsonOf(response)
  const { access_token: text, token_type: type, expires_in: life } = body ?? {}
  if (typeof text !== 'string' || !TOKEN.test(text) || !isBearer(type))
    return failed(unfit('protocol_error', 'Its answer holds no bearer token.'))
  const seconds = Number(life)
  const lifeMs = life !== undefined && seconds > 0 ? Math.min(seconds * SECOND, MAX_LIFE_MS) : UNKNOWN_LIFE_MS
  const untilMs = nowMs + lifeMs - Math.min(MARGIN_MS, lifeMs * MARGIN_PART)
  return ok({ text, fetchedAtMs: nowMs, untilMs })
}

/** Some servers leave the type out; RFC 6749 §5.1 takes it without regard to case. */
const isBearer = (type: unknown): boolean =>
  type === undefined || (typeof type === 'string' && type.toLowerCase() === 'bearer')

/** RFC 6749 §5.2: what another request will not change. */
const REFUSALS = new Set(['invalid_client', 'invalid_grant', 'invalid_scope', 'unauthorized_client'])

function refusal(response: HttpResponse, nowMs: number): Outcome {
  const { status } = response
  const error = jsonOf(response)?.['error']
  if (status === 401 || status === 403 || (typeof error === 'string' && REFUSALS.has(error)))
    return unfit('credentials_rejected', `Its server refused the client (status ${status}).`)
  const retryAfterMs = parseRetryAfterMs(response.headers['retry-after'], nowMs)
  if (status === 429) return unfit('throttled', 'Its server asked for fewer requests.', retryAfterMs)
  return unfit('target_failed', `Its server answered ${status}.`, retryAfterMs)
}

function jsonOf({ body, isBodyCut }: HttpResponse): Readonly<Record<string, unknown>> | null {
  if (isBodyCut) return null
  try {
    const json: unknown = JSON.parse(body.toString('utf8'))
    return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : null
  } catch {
    return null
  }
}
