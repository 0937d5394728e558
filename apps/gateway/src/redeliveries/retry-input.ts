import type { Problem } from '@barnabas/domain'
import { validationFailed } from '../http/api-error.js'

/** Which delivery is asked for again. */
export interface RetryInput {
  readonly eventId: string
  readonly destinationId: string
  readonly tenantId?: string | undefined
}

const MEMBERS = ['event_id', 'destination_id', 'tenant_id'] as const

/** Throws 422 with every mistake. */
export function readRetry(body: unknown): RetryInput {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw validationFailed([{ path: '', message: 'must be a JSON object' }])
  const problems: Problem[] = Object.keys(body)
    .filter((name) => !MEMBERS.some((member) => member === name))
    .map((path) => ({ path, message: 'is not a member of a retry' }))
  const given = new Map<string, unknown>(Object.entries(body))
  const read = (path: (typeof MEMBERS)[number], isRequired: boolean): string => {
    const value = given.get(path)
    if (typeof value === 'string' && value !== '') return value
    if (isRequired || (value !== undefined && value !== null))
      problems.push({ path, message: value === undefined ? 'is required' : 'must be text that is not empty' })
    return ''
  }
  const [eventId, destinationId] = [read('event_id', true), read('destination_id', true)]
  const tenantId = read('tenant_id', false)
  if (problems.length > 0) throw validationFailed(problems)
  return { eventId, destinationId, tenantId: tenantId === '' ? undefined : tenantId }
}
