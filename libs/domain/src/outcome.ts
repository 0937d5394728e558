import type { Code } from './codes.js'

/** What a target answered, as far as the size limits let it be kept. */
export interface ResponseSummary {
  readonly status: number | null
  readonly headers: Readonly<Record<string, string>>
  /** First bytes of the body; cut at the driver's stated limit. */
  readonly body: Buffer
  readonly isBodyCut: boolean
}

/**
 * Result of an attempt.
 * `delivered`: the target took responsibility. `retryable`: it may succeed later. `permanent`: it will not.
 * `detail` is for the tenant: one sentence, no stack, no secret.
 */
export type Outcome =
  | { readonly kind: 'delivered'; readonly code: Code; readonly response?: ResponseSummary }
  | {
      readonly kind: 'retryable'
      readonly code: Code
      readonly detail: string
      readonly retryAfterMs?: number
      readonly response?: ResponseSummary
    }
  | {
      readonly kind: 'permanent'
      readonly code: Code
      readonly detail: string
      readonly response?: ResponseSummary
    }
