import type { SecretBox } from '@barnabas/domain'
import { findDriver } from '@barnabas/drivers'
import type { DestinationRow } from '@barnabas/storage'
import type { Policies } from '../retries/policies.js'
import type { EffectiveRetryJson, PolicyJson } from '../retries/retry-json.js'
import { openCredentials } from './credentials.js'
import { limitsJson, type LimitsJson } from './limits-input.js'

/** A destination as the API shows it: the contract's shape, secrets masked, with its limits, its retry policy and why it is disabled. */
export interface DestinationJson extends PolicyJson {
  readonly id: string
  readonly type: string
  readonly topics: '*' | readonly string[]
  readonly filter: unknown
  readonly config: Readonly<Record<string, string>>
  readonly credentials: Readonly<Record<string, string>>
  readonly delivery_metadata: Readonly<Record<string, string>> | null
  readonly metadata: Readonly<Record<string, string>> | null
  readonly limits: LimitsJson
  readonly effective_retry: EffectiveRetryJson
  readonly disabled_at: string | null
  readonly disabled_reason: string | null
  readonly created_at: string
  readonly updated_at: string
  readonly target: string
  readonly target_url: string | null
}

export interface ShowTools {
  readonly secrets: SecretBox
  readonly policies: Policies
}

export function destinationJson(row: DestinationRow, { secrets, policies }: ShowTools): DestinationJson {
  const { entry } = row
  const driver = findDriver(entry.type)
  const { target, targetUrl } = driver?.target(entry.config) ?? { target: '', targetUrl: null }
  const isForAll = entry.topics.length === 1 && entry.topics[0] === '*'
  const hasMetadata = Object.keys(entry.deliveryMetadata).length > 0
  return {
    id: entry.id,
    type: entry.type,
    topics: isForAll ? '*' : entry.topics,
    filter: entry.filter,
    config: entry.config,
    credentials: driver?.maskCredentials(credentialsOf(row, secrets)) ?? {},
    delivery_metadata: hasMetadata ? entry.deliveryMetadata : null,
    metadata: row.metadata,
    limits: limitsJson(entry.limits),
    ...policies.jsonOf(entry),
    disabled_at: entry.disabledAt,
    disabled_reason: entry.disabledReason,
    created_at: row.createdAt,
    updated_at: row.updatedAt,
    target,
    target_url: targetUrl,
  }
}

/** A destination whose key is missing from SECRET_KEYS must still be readable, and can be given new credentials. */
function credentialsOf({ entry }: DestinationRow, secrets: SecretBox): Readonly<Record<string, string>> {
  try {
    return openCredentials(secrets, entry)
  } catch {
    return {}
  }
}
