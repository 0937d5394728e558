import type { Outcome } from '@barnabas/domain'
import { failedWith } from '../outcomes.js'
import { outcomeOfAwsError } from './aws-outcome.js'

/** What a role must say in its trust policy so that it can be assumed for a tenant. */
export interface Trust {
  /** ARN of this service's own role. */
  readonly principal: string
  readonly externalId: string
}

/** Errors that are about the credentials which the request was signed with, and not about the role that it names. */
const OF_OUR_OWN_CREDENTIALS = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidClientTokenId',
  'SignatureDoesNotMatch',
  'UnrecognizedClientException',
])

const nameOf = (error: unknown): unknown =>
  typeof error === 'object' && error !== null ? (error as { readonly name?: unknown }).name : undefined

/** AWS answers so when the role does not exist, when it does not trust the caller, and to another external id. */
export const isAccessDenied = (error: unknown): boolean =>
  nameOf(error) === 'AccessDenied' || nameOf(error) === 'AccessDeniedException'

/**
 * What it means that the operator's own role could not be assumed: nothing about the destination. What may pass (no
 * answer, throttling, a failure on their side) is told as it is.
 */
export function outcomeOfIdentityError(error: unknown, nowMs: number): Outcome {
  const outcome = outcomeOfAwsError(error, nowMs)
  return outcome.kind === 'retryable' ? outcome : failedWith('identity_failed')
}

/** What it means that the role of a destination could not be assumed. */
export function outcomeOfRoleError(error: unknown, nowMs: number, trust: Trust): Outcome {
  if (isAccessDenied(error)) return failedWith('credentials_rejected', refusalOf(trust))
  const name = nameOf(error)
  if (typeof name === 'string' && OF_OUR_OWN_CREDENTIALS.has(name)) return failedWith('identity_failed')
  const outcome = outcomeOfAwsError(error, nowMs)
  if (outcome.kind !== 'permanent') return outcome
  // The rules of the network let STS through or not: no destination names its address.
  if (outcome.code === 'address_blocked') return failedWith('identity_failed')
  return failedWith('invalid_settings', 'AWS cannot assume the role that the settings name.')
}

const refusalOf = ({ principal, externalId }: Trust): string =>
  `AWS did not let this service assume the role: its trust policy must allow sts:AssumeRole to the principal ${principal} under the condition that sts:ExternalId is ${externalId}.`

/** Of a role that was assumed with an external id that is nobody's. */
export const UNGUARDED_ROLE = failedWith(
  'invalid_settings',
  'The role can be assumed with any external id, so every tenant of this service could use it: its trust policy must demand the external id (condition StringEquals on sts:ExternalId).',
)

export const NO_IDENTITY = failedWith(
  'invalid_settings',
  'This service has no identity at AWS that could assume the role; give keys instead.',
)
