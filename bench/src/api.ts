import { setTimeout as wait } from 'node:timers/promises'
import { request } from 'undici'
import type { PublishTarget } from './generator.js'

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

/** The tenant of `target` and its one webhook destination, which takes every topic. */
export async function createDestination(target: PublishTarget, url: string): Promise<void> {
  await call(target, 'PUT', `/tenants/${target.tenantId}`, {})
  await call(target, 'POST', `/tenants/${target.tenantId}/destinations`, {
    type: 'webhook',
    topics: '*',
    config: { url },
  })
}

/** False when the log has no attempt for the event within the time. One destination's attempts are logged in order. */
export async function untilLogged(
  target: PublishTarget,
  eventId: string,
  timeoutMs: number,
): Promise<boolean> {
  const endMs = Date.now() + timeoutMs
  while (Date.now() < endMs) {
    const page = (await call(target, 'GET', `/attempts?event_id=${eventId}&limit=1`)) as { models: unknown[] }
    if (page.models.length > 0) return true
    await wait(LOOK_MS)
  }
  return false
}
