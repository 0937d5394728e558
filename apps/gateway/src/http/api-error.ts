import type { KnownCode, Problem } from '@barnabas/domain'

/** An answer that is not the one asked for: expected, and shown to the caller as it is. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: KnownCode,
    message: string,
    /** For validation errors one sentence per mistake, the field's path first. */
    readonly data: readonly string[] | Readonly<Record<string, unknown>> | null = null,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message)
    this.name = 'ApiError'
  }
}

/** A path holds names that the caller made up, of any length; this is more than the deepest of ours has. */
const MAX_PATH_CHARACTERS = 512

export const sentenceOf = ({ path, message }: Problem): string =>
  path === '' ? `body ${message}` : `${path.slice(0, MAX_PATH_CHARACTERS)} ${message}`

export const validationFailed = (problems: readonly Problem[]): ApiError =>
  new ApiError(422, 'validation_failed', 'validation error', problems.map(sentenceOf))

export const notFound = (what: string): ApiError => new ApiError(404, 'not_found', `${what} not found`)

/** Long enough for a broker or database to come back, short enough to be worth waiting for. */
const RETRY_AFTER_SECONDS = 2

export const unavailable = (message: string): ApiError =>
  new ApiError(503, 'unavailable', message, null, { 'retry-after': String(RETRY_AFTER_SECONDS) })
