import { SECOND, toError, type DestinationUid, type SecretBox } from '@barnabas/domain'
import {
  findDriver,
  type Consent,
  type Driver,
  type HeadersOfRequest,
  type SenderTools,
  type ValidSettings,
  type Verification,
} from '@barnabas/drivers'
import type { DestinationRow } from '@barnabas/storage'
import type { Logger } from '@barnabas/telemetry'
import { openCredentials } from '../destinations/credentials.js'
import { ApiError, validationFailed } from '../http/api-error.js'
import type { Callback, Callbacks } from './callbacks.js'

/** A caller waits for it; a target that takes longer to say yes is asked again. */
const TIMEOUT_MS = 10 * SECOND

export interface VerifierTools extends SenderTools {
  readonly secrets: SecretBox
  readonly log: Logger
  /** Null = targets are told none. */
  readonly callbacks: Callbacks | null
}

/** What a target is asked about: what it answers holds as long as this is the same. */
export interface Question {
  readonly driver: Driver
  readonly settings: ValidSettings
  readonly purpose: 'consent' | 'check'
  readonly subject: string
}

/** The question that settings raise; null when nobody is to be asked. */
export function questionOf(driver: Driver, settings: ValidSettings): Question | null {
  const { verification } = driver
  const subject = verification?.subject(settings) ?? null
  return verification && subject !== null
    ? { driver, settings, purpose: verification.purpose, subject }
    : null
}

/** Asks targets whether they want events. Safe for concurrent use; holds no connections. */
export class Verifier {
  constructor(private readonly tools: VerifierTools) {}

  /** The question that a destination raises as it is; null also when its settings cannot be read. */
  questionOf({ entry }: DestinationRow): Question | null {
    const driver = findDriver(entry.type)
    if (!driver?.verification) return null
    const valid = driver.validate({ config: entry.config, credentials: this.credentialsOf(entry) })
    return valid.ok ? questionOf(driver, valid.value) : null
  }

  /** Answers within 10 s. `uid`: of the destination whose target may consent later as well. */
  async ask(question: Question, uid?: DestinationUid): Promise<Verification> {
    const { driver, settings } = question
    const { verification } = driver
    if (!verification) throw new Error(`${driver.type} has no verification`)
    const tools = { ...this.tools, ...this.callbackOf(question, uid) }
    try {
      return await verification.ask(settings, tools, AbortSignal.timeout(TIMEOUT_MS))
    } catch (error) {
      this.tools.log.error({ type: driver.type, error: toError(error).message }, 'verification.failed')
      return { kind: 'unreached', detail: 'The target could not be asked.' }
    }
  }

  /** What the secret of a callback was made for; null when it is none. */
  readCallback(secret: string): Callback | null {
    return this.tools.callbacks?.read(secret) ?? null
  }

  /** What a call of the callback says about the question; throws 400 when it is no consent. */
  consentOf({ driver, settings }: Question, headers: HeadersOfRequest): Consent {
    const consent = driver.verification?.readCallback?.(settings, headers, this.tools)
    if (!consent) throw new Error(`${driver.type} has no callback`)
    if (!consent.ok) throw new ApiError(400, 'validation_failed', consent.failure)
    return consent.value
  }

  /** Throws 422 when the target says that settings are wrong; one that cannot be reached is given the benefit. */
  async refuseMistakes(question: Question | null): Promise<void> {
    if (question?.purpose !== 'check') return
    const answer = await this.ask(question)
    if (answer.kind === 'refused') throw validationFailed([{ path: answer.path, message: answer.detail }])
    if (answer.kind === 'unreached')
      this.tools.log.warn({ type: question.driver.type, detail: answer.detail }, 'verification.unreached')
  }

  private callbackOf({ driver, subject }: Question, uid?: DestinationUid): { readonly callbackUrl?: string } {
    const { callbacks } = this.tools
    if (!callbacks || uid === undefined || !driver.verification?.readCallback) return {}
    return { callbackUrl: callbacks.urlFor(uid, subject) }
  }

  private credentialsOf(entry: DestinationRow['entry']): Readonly<Record<string, string>> {
    try {
      return openCredentials(this.tools.secrets, entry)
    } catch {
      return {}
    }
  }
}
