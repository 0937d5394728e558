import { setTimeout as wait } from 'node:timers/promises'
import { request } from 'undici'
import type { PublishTarget } from './load/generator.js'

/** The catalog is empty and everything just started: generous, and only a bound. */
const TIMEOUT_MS = 20_000
const LOOK_MS = 50

type Method = 'GET' | 'PUT' | 'POST'

async function call(target: PublishTarget, method: Method, path: string, body?: object): Promise<unknown> {
  const answer = await request(`${target.origin}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${target.apiKey}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const text = await answer.body.text()
  if (answer.statusCode > 299) throw new Error(`${method} ${path} answered ${answer.statusCode}: ${text}`)
  return JSON.parse(text) as unknown
}

export const createTenant = (target: PublishTarget, tenantId: string): Promise<unknown> =>
  call(target, 'PUT', `/tenants/${tenantId}`, {})

/** A webhook destination for the given topics, every one unless given. */
export const addDestination = (
  target: PublishTarget,
  tenantId: string,
  { url, topics = '*' }: { url: string; topics?: '*' | readonly string[] },
): Promise<unknown> =>
  call(target, 'POST', `/tenants/${tenantId}/destinations`, { type: 'webhook', topics, config: { url } })

/** A tenant and its one webhook destination, which takes every topic. */
export async function createDestination(target: PublishTarget, tenantId: string, url: string): Promise<void> {
  await createTenant(target, tenantId)
  await addDestination(target, tenantId, { url })
}

export const publish = (target: PublishTarget, event: object): Promise<unknown> =>
  call(target, 'POST', '/publish', event)

/** An attempt as the event log has it. */
export interface LoggedAttempt {
  readonly event_id: string
  readonly attempt_number: number
  readonly next_attempt_at: string | null
}

interface Page {
  readonly models: LoggedAttempt[]
  readonly pagination: { readonly next: string | null }
}

/** Every attempt of a tenant's deliveries that the log has. */
export async function loggedAttempts(target: PublishTarget, tenantId: string): Promise<LoggedAttempt[]> {
  const attempts: LoggedAttempt[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const from: string = cursor === '' ? '' : `&next=${encodeURIComponent(cursor)}`
    const path = `/attempts?tenant_id=${tenantId}&dir=asc&limit=1000${from}`
    const { models, pagination } = (await call(target, 'GET', path)) as Page
    attempts.push(...models)
    cursor = pagination.next
  }
  return attempts
}

/** False when the log has fewer attempts of the event within the time. One destination's attempts are logged in order. */
export async function untilLogged(
  target: PublishTarget,
  { eventId, attempts, timeoutMs }: { eventId: string; attempts: number; timeoutMs: number },
): Promise<boolean> {
  const endMs = Date.now() + timeoutMs
  while (Date.now() < endMs) {
    const path = `/attempts?event_id=${eventId}&limit=${attempts}`
    const { models } = (await call(target, 'GET', path)) as Page
    if (models.length >= attempts) return true
    await wait(LOOK_MS)
  }
  return false
}

/** Does the work for 0 … total-1, so many at once. */
export async function inParallel(
  total: number,
  atOnce: number,
  work: (number: number) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < total) await work(next++)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}
