import {
  newDestinationId,
  newDestinationUid,
  NO_LIMITS,
  NO_OVERRIDES,
  type DeliveryLimits,
} from '@barnabas/domain'
import { findDriver, type Driver, type HeadersOfRequest } from '@barnabas/drivers'
import {
  createDestination,
  deleteDestination,
  findDestination,
  listDestinations,
  updateDestination,
  type DestinationChange,
  type DestinationQuery,
  type DestinationRow,
  type Storage,
} from '@barnabas/storage'
import type { Logger } from '@barnabas/telemetry'
import type { Propagation } from '../catalog/propagation.js'
import { ApiError, notFound, validationFailed } from '../http/api-error.js'
import type { Propagated } from '../tenants/tenants.service.js'
import { awaitingConsent, needsConsent, refuseUnverified } from '../verification/consent.js'
import { Verification } from '../verification/verification.js'
import { questionOf, type Verifier } from '../verification/verifier.js'
import {
  changedSettings,
  newSettings,
  openCredentials,
  sealCredentials,
  type CheckedSettings,
} from './credentials.js'
import { merge, readCreate, readPatch, type PatchInput } from './destination-input.js'
import { mergeLimits, type LimitsPatch } from './limits-input.js'
import { destinationJson, type DestinationJson, type ShowTools } from './destination-json.js'
import type { TargetVerdict } from './target-verdict.js'

export interface DestinationTools extends ShowTools {
  readonly log: Logger
  readonly verifier: Verifier
  /** Topics that may be published to; empty = any. */
  readonly topics: readonly string[]
  readonly verdict: TargetVerdict
}

/** A change, and the secrets that were made for it. */
interface Patched {
  readonly change: DestinationChange
  readonly made?: Readonly<Record<string, string>>
}

/** Rules and transactions of destinations. Credentials are sealed before they leave this class. */
export class DestinationsService {
  private readonly verification: Verification

  constructor(
    private readonly storage: Storage,
    private readonly propagation: Propagation,
    private readonly tools: DestinationTools,
  ) {
    this.verification = new Verification(storage, tools.verifier, tools.log)
  }

  /** A secret that was generated is in this one answer; every other answer masks it. */
  async create(tenantId: string, body: unknown): Promise<Propagated<DestinationJson>> {
    const input = readCreate(body, this.tools.topics)
    const driver = driverOf(input.type)
    const limits = merged(NO_LIMITS, input.limits ?? null)
    const settings = newSettings(driver, input)
    await this.tools.verdict.check(driver, settings)
    const question = questionOf(driver, settings)
    await this.tools.verifier.refuseMistakes(question)
    const uid = newDestinationUid()
    const created = await this.storage.transaction((tx) =>
      createDestination(tx, {
        ...input,
        ...(needsConsent(null, question) ? awaitingConsent(input.disabledAt) : {}),
        uid,
        tenantId,
        id: input.id ?? newDestinationId(),
        limits,
        policy: { ...NO_OVERRIDES, ...input.policy },
        config: settings.given.config,
        sealedCredentials: sealCredentials(this.tools.secrets, uid, settings.given.credentials),
      }),
    )
    if (!created.ok) {
      if (created.failure === 'tenant-not-found') throw notFound('tenant')
      throw new ApiError(
        409,
        'conflict',
        `the tenant has a destination with the id "${input.id ?? ''}" already`,
      )
    }
    this.tools.log.info(this.fields(created.value), 'destination.created')
    const row = await this.verification.settle(created.value)
    return { value: this.json(row, settings.made), isPropagated: await this.propagation.until([row.entry]) }
  }

  async get(tenantId: string, id: string): Promise<DestinationJson> {
    const row = await this.storage.transaction((tx) => findDestination(tx, tenantId, id))
    if (!row) throw notFound('destination')
    return this.json(row)
  }

  async list(tenantId: string, query: DestinationQuery): Promise<DestinationJson[]> {
    const rows = await this.storage.transaction((tx) => listDestinations(tx, tenantId, query))
    if (!rows) throw notFound('tenant')
    return rows.map((row) => this.json(row))
  }

  async patch(tenantId: string, id: string, body: unknown): Promise<Propagated<DestinationJson>> {
    const input = readPatch(body, this.tools.topics)
    if (input.config || input.credentials) await this.examine(tenantId, id, input)
    return this.change(tenantId, id, 'destination.changed', (current) => this.applyPatch(current, input))
  }

  enable(tenantId: string, id: string): Promise<Propagated<DestinationJson>> {
    return this.change(tenantId, id, 'destination.enabled', (current) => {
      refuseUnverified(current, this.tools.verifier.questionOf(current))
      return { change: { disabledAt: null } }
    })
  }

  /** Asks the target again whether it wants events. Throws 409, with what it said, when it does not. */
  async verify(tenantId: string, id: string): Promise<Propagated<DestinationJson>> {
    const row = await this.verification.again(tenantId, id)
    return { value: this.json(row), isPropagated: await this.propagation.until([row.entry]) }
  }

  /** Takes the consent of a target that calls back. Throws 404 for every secret that is not in force. */
  async callBack(secret: string, headers: HeadersOfRequest): Promise<void> {
    const row = await this.verification.callBack(secret, headers)
    await this.propagation.until([row.entry])
  }

  disable(tenantId: string, id: string): Promise<Propagated<DestinationJson>> {
    return this.change(tenantId, id, 'destination.disabled', ({ entry }) => ({
      change: disabling(entry.disabledAt, new Date().toISOString()),
    }))
  }

  async delete(tenantId: string, id: string): Promise<Propagated<null>> {
    const changed = await this.storage.transaction((tx) => deleteDestination(tx, tenantId, id))
    if (!changed) throw notFound('destination')
    this.tools.log.info(
      { tenant_id: tenantId, destination_id: id, destination_uid: changed.uid },
      'destination.deleted',
    )
    return { value: null, isPropagated: await this.propagation.until([changed]) }
  }

  private async change(
    tenantId: string,
    id: string,
    step: string,
    change: (current: DestinationRow) => Patched,
  ): Promise<Propagated<DestinationJson>> {
    let made: Patched['made']
    let needsVerdict = false
    const row = await this.storage.transaction((tx) =>
      updateDestination(tx, tenantId, id, (current) => {
        const patched = change(current)
        made = patched.made
        needsVerdict = patched.change.disabledReason === 'pending_verification'
        return patched.change
      }),
    )
    if (!row) throw notFound('destination')
    this.tools.log.info(this.fields(row), step)
    const settled = needsVerdict ? await this.verification.settle(row) : row
    return { value: this.json(settled, made), isPropagated: await this.propagation.until([settled.entry]) }
  }

  private applyPatch(current: DestinationRow, input: PatchInput): Patched {
    const { entry } = current
    if (input.type !== undefined && input.type !== entry.type) {
      throw validationFailed([{ path: 'type', message: `cannot be changed; it is ${entry.type}` }])
    }
    const { topics, filter, metadata, deliveryMetadata, limits, policy } = input
    const settings = this.patchSettings(current, input)
    if (input.disabledAt === null) refuseUnverified(current, this.tools.verifier.questionOf(current))
    const change = {
      ...(topics ? { topics } : {}),
      ...(filter === undefined ? {} : { filter }),
      ...(metadata === undefined ? {} : { metadata: merge(current.metadata, metadata) }),
      ...(deliveryMetadata === undefined
        ? {}
        : { deliveryMetadata: merge(entry.deliveryMetadata, deliveryMetadata) ?? {} }),
      ...(limits === undefined ? {} : { limits: merged(entry.limits, limits) }),
      policy: { ...entry.policy, ...policy },
      ...switching(entry.disabledAt, input.disabledAt),
      ...settings.change,
    }
    return { ...settings, change }
  }

  /** Config and credentials are merged with what is there and then checked as a whole. */
  private patchSettings(current: DestinationRow, input: PatchInput): Patched {
    const { entry } = current
    if (!input.config && !input.credentials) return { change: {} }
    const { secrets, verifier } = this.tools
    const settings = this.settingsAfter(current, input)
    const { given, made } = settings
    const isAsked = needsConsent(verifier.questionOf(current), questionOf(driverOf(entry.type), settings))
    const change = {
      config: given.config,
      sealedCredentials: sealCredentials(secrets, entry.uid, given.credentials),
      ...(isAsked ? awaitingConsent(entry.disabledAt) : {}),
    }
    return { change, made }
  }

  /** Config and credentials are merged with what is there and then checked as a whole. */
  private settingsAfter({ entry }: DestinationRow, input: PatchInput): CheckedSettings {
    const current = { config: entry.config, credentials: openCredentials(this.tools.secrets, entry) }
    return changedSettings(driverOf(entry.type), current, input)
  }

  /**
   * Ahead of the transaction: names are looked up and targets asked while no row is locked. What another change brings
   * meanwhile is asked about by itself, and judged at each delivery.
   */
  private async examine(tenantId: string, id: string, input: PatchInput): Promise<void> {
    const row = await this.storage.transaction((tx) => findDestination(tx, tenantId, id))
    if (!row) throw notFound('destination')
    const { verdict, verifier } = this.tools
    const driver = driverOf(row.entry.type)
    const settings = this.settingsAfter(row, input)
    await verdict.check(driver, settings)
    if (driver.verification?.purpose !== 'check') return
    const question = questionOf(driver, settings)
    if (question?.subject !== verifier.questionOf(row)?.subject) await verifier.refuseMistakes(question)
  }

  /** `made`: secrets that this answer shows, and no other. */
  private json(row: DestinationRow, made: Readonly<Record<string, string>> = {}): DestinationJson {
    const json = destinationJson(row, this.tools)
    return { ...json, credentials: { ...json.credentials, ...made } }
  }

  private fields({ entry }: DestinationRow): object {
    return {
      tenant_id: entry.tenantId,
      destination_id: entry.id,
      destination_uid: entry.uid,
      version: entry.version,
    }
  }
}

/** A destination that is disabled already keeps its first date and reason. */
const disabling = (disabledAt: string | null, atIso: string): DestinationChange =>
  disabledAt === null ? { disabledAt: atIso, disabledReason: 'requested' } : {}

/** Enables with null, disables with a time, and leaves it with undefined. */
function switching(disabledAt: string | null, wanted: string | null | undefined): DestinationChange {
  if (wanted === undefined) return {}
  return wanted === null ? { disabledAt: null } : disabling(disabledAt, wanted)
}

function merged(current: DeliveryLimits, patch: LimitsPatch): DeliveryLimits {
  const { limits, problems } = mergeLimits(current, patch)
  if (problems.length > 0) throw validationFailed(problems)
  return limits
}

function driverOf(type: string): Driver {
  const driver = findDriver(type)
  if (!driver)
    throw validationFailed([{ path: 'type', message: 'must be a type that GET /destination-types lists' }])
  return driver
}
