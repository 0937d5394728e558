import type { Code, Outcome, ResponseSummary } from '@barnabas/domain'
import { MAX_RESPONSE_BYTES } from '../http/http-target.js'
import { DELIVERED, failedWith, outcomeOfError, systemCodeOf } from '../outcomes.js'

/** What nodemailer says of a failure: https://nodemailer.com/errors */
interface MailError {
  readonly code?: unknown
  /** The code of Node's error that `code` replaced. */
  readonly originalCode?: unknown
  /** Reply code of SMTP (RFC 5321 §4.2). */
  readonly responseCode?: unknown
  readonly response?: unknown
  /** `RCPT TO` */
  readonly command?: unknown
  /** Which of nodemailer's time limits passed. */
  readonly timeoutType?: unknown
}

/** A recipient that the server did not take, and its reply. */
interface Refusal {
  readonly recipient?: unknown
  readonly response?: unknown
}

const CODES: Readonly<Record<string, Code>> = {
  EAUTH: 'credentials_rejected',
  ENOAUTH: 'credentials_rejected',
  EDNS: 'dns_failed',
  ECONNECTION: 'connection_reset',
  ESOCKET: 'connection_reset',
  EPROTOCOL: 'protocol_error',
}

const NO_TLS = 'The mail server offers no TLS where the settings want it, or its certificate is not trusted.'

/**
 * The outcome of a mail that was not taken; by SMTP's reply code first. 4yz replies ask to try again (RFC 5321 §4.2.1),
 * 5yz replies are final.
 */
export function outcomeOfMailError(error: unknown): Outcome {
  if (typeof error !== 'object' || error === null) return outcomeOfError(error)
  const { code, responseCode } = error as MailError
  // Also the reply of a server that knows no STARTTLS; it says nothing of the mail.
  if (code === 'ETLS') return failedWith('tls_failed', NO_TLS)
  return typeof responseCode === 'number' ? outcomeOfReply(responseCode, error) : outcomeOfBreak(error)
}

function outcomeOfReply(reply: number, { command, response }: MailError): Outcome {
  const step = typeof command === 'string' ? command : ''
  const detail = `The mail server answered ${reply}${/^[A-Z0-9 -]+$/.test(step) ? ` to ${step}` : ''}.`
  return { ...failedWith(codeOfReply(reply, step), detail), response: summary(String(response)) }
}

/** Without a reply: the connection failed, or never came to be. */
function outcomeOfBreak(error: MailError): Outcome {
  const { code, originalCode, timeoutType } = error
  if (timeoutType !== undefined && timeoutType !== 'CONNECT_TIMEOUT') return failedWith('timeout')
  const system = systemCodeOf({ code: originalCode }) ?? systemCodeOf(error)
  if (system) return failedWith(system)
  const known = typeof code === 'string' && Object.hasOwn(CODES, code) ? CODES[code] : undefined
  return failedWith(known ?? 'connection_failed')
}

/** Authentication is required, too weak, wrong, or needs encryption (RFC 4954 §6). */
const AUTHENTICATION_REPLIES: ReadonlySet<number> = new Set([530, 534, 535, 538])
/** The host takes no mail at all (RFC 7504). */
const NO_MAIL_REPLIES: ReadonlySet<number> = new Set([521, 556])
/** Mailbox unavailable, user not local, mailbox name not allowed (RFC 5321 §4.2.3). */
const MAILBOX_REPLIES: ReadonlySet<number> = new Set([550, 551, 553])
const TOO_LARGE = 552
/** Says that the session is in disorder, and nothing of the mail. */
const BAD_SEQUENCE = 503

function codeOfReply(reply: number, step: string): Code {
  if (reply === BAD_SEQUENCE) return 'protocol_error'
  if (reply < 500) return 'target_failed'
  if (AUTHENTICATION_REPLIES.has(reply) || step.startsWith('AUTH')) return 'credentials_rejected'
  if (NO_MAIL_REPLIES.has(reply)) return 'target_not_found'
  if (step === 'RCPT TO') return MAILBOX_REPLIES.has(reply) ? 'target_not_found' : 'event_refused'
  return reply === TOO_LARGE ? 'payload_too_large' : 'event_refused'
}

/**
 * The outcome of a mail that went out. Recipients that the server refused are named in the answer: the others have the
 * mail, and a repeat would give it to them twice.
 */
export function outcomeOfMail(reply: string, refusals: readonly Refusal[]): Outcome {
  const lines = refusals.map(
    ({ recipient, response }) => `not taken: ${String(recipient)}: ${String(response)}`,
  )
  return { ...DELIVERED, response: summary([reply, ...lines].join('\n')) }
}

function summary(text: string): ResponseSummary {
  const body = Buffer.from(text)
  const isBodyCut = body.length > MAX_RESPONSE_BYTES
  return { status: null, headers: {}, body: body.subarray(0, MAX_RESPONSE_BYTES), isBodyCut }
}
