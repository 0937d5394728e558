import { createHash } from 'node:crypto'
import { DAY, type Clock, type DestinationUid, type SecretBox } from '@barnabas/domain'

/** Behind the public address of the gateway; what follows it is the secret. */
export const CALLBACK_PATH = '/api/v1/consents/'

/** Long enough for a person who must find the address in a log first and ask a colleague; chosen, not measured. */
export const CALLBACK_LIFE_MS = 7 * DAY

/** Stands where a sealed credential has its owner's uid: neither opens as the other. */
const OWNER = 'consent-callback'

/** What a callback was made for. */
export interface Callback {
  readonly uid: DestinationUid
  /** Of the subject that its target was asked about. */
  readonly subjectHash: string
}

/** Subjects hold whole URLs, and these may hold keys. */
export const hashOfSubject = (subject: string): string =>
  createHash('sha256').update(subject).digest('base64url')

/**
 * Addresses at which targets consent later. What an address was made for is sealed inside it: every gateway with the same
 * keys can read it, also after a restart, and there is no table that grows with each question. Nothing is taken back
 * one by one: an address ends after `CALLBACK_LIFE_MS`, when its destination is deleted or asks about something else,
 * and when its key leaves SECRET_KEYS.
 */
export class Callbacks {
  /** `baseUrl`: without a slash at its end. */
  constructor(
    private readonly baseUrl: string,
    private readonly secrets: SecretBox,
    private readonly clock: Clock,
  ) {}

  /** A new one each time; the earlier ones stay valid. */
  urlFor(uid: DestinationUid, subject: string): string {
    const callback: Callback = { uid, subjectHash: hashOfSubject(subject) }
    const sealed = JSON.stringify({ ...callback, untilMs: this.clock.nowMs() + CALLBACK_LIFE_MS })
    // The characters of a sealed text need no escaping in a URL.
    return `${this.baseUrl}${CALLBACK_PATH}${this.secrets.seal(sealed, OWNER)}`
  }

  /** Null for what this system did not make, or made too long ago. */
  read(secret: string): Callback | null {
    const text = this.opened(secret)
    if (text === null) return null
    const { untilMs, ...callback } = JSON.parse(text) as Callback & { readonly untilMs: number }
    return this.clock.nowMs() < untilMs ? callback : null
  }

  private opened(secret: string): string | null {
    try {
      return this.secrets.open(secret, OWNER)
    } catch {
      return null
    }
  }
}
