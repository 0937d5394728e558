import { newRedriveId, REDRIVE_STATES, type DestinationUid, type Result } from '@barnabas/domain'
import {
  cancelRedrive,
  countDeadLetters,
  createRedrive,
  findDestination,
  findDestinationsByUid,
  findRedrive,
  findTenant,
  listRedrives,
  startRedrive,
  type EntityManager,
  type RedriveRefusal,
  type RedriveRow,
  type Storage,
} from '@barnabas/storage'
import type { Logger } from '@barnabas/telemetry'
import { ApiError, notFound, validationFailed } from '../http/api-error.js'
import { badCursor, pagination, readListQuery, valuesOf, type RawQuery } from '../http/query.js'
import { REQUESTED_BY } from '../redeliveries/redeliver.service.js'
import { entryJson, redriveJson } from './redrive-json.js'
import { readRedrive, type RedriveInput, type RedriveRates } from './redrive-input.js'

const LIST = { defaultLimit: 100, maxLimit: 1_000, orderBy: 'created_at' } as const

/** Rules and transactions of redrives; the retrier carries them out. */
export class RedrivesService {
  constructor(
    private readonly storage: Storage,
    private readonly log: Logger,
    private readonly rates: RedriveRates,
  ) {}

  async create(body: unknown) {
    const input = readRedrive(body, this.rates)
    const created = await this.storage.transaction(async (tx) => {
      const tenant = await findTenant(tx, input.tenantId)
      if (!tenant) throw notFound('tenant')
      const destinationUid = await enabledDestination(tx, input)
      const { codes, fromMs, toMs, ratePerSecond, tenantId, destinationId } = input
      const scope = { tenantUid: tenant.uid, destinationUid, codes, fromMs, toMs }
      return createRedrive(tx, {
        id: newRedriveId(),
        scope,
        tenantId,
        destinationId,
        ratePerSecond,
        counted: await countDeadLetters(tx, scope),
        requestedBy: REQUESTED_BY,
      })
    })
    return this.changed(created)
  }

  async list(query: RawQuery) {
    const { time: _time, ...list } = readListQuery(query, LIST)
    const states = valuesOf(query, 'state')
    if (states?.some((state) => !REDRIVE_STATES.some((known) => known === state)))
      throw validationFailed([{ path: 'state', message: `must be among ${REDRIVE_STATES.join(', ')}` }])
    const page = await this.storage.transaction((tx) =>
      listRedrives(tx, { ...list, tenantIds: valuesOf(query, 'tenant_id'), states }),
    )
    if (page === 'bad-cursor') throw badCursor()
    return { models: page.rows.map(redriveJson), pagination: pagination(list, page, LIST.orderBy) }
  }

  async get(id: string) {
    const found = await this.storage.transaction((tx) => findRedrive(tx, id))
    if (!found) throw notFound('redrive')
    return { ...redriveJson(found.redrive), history: found.entries.map(entryJson) }
  }

  async start(id: string) {
    const started = await this.storage.transaction(async (tx) => {
      const found = await findRedrive(tx, id)
      if (!found) throw notFound('redrive')
      await checkStillEnabled(tx, found.redrive.scope.destinationUid)
      return startRedrive(tx, id, REQUESTED_BY)
    })
    return this.changed(valueOf(started))
  }

  async cancel(id: string) {
    return this.changed(valueOf(await this.storage.transaction((tx) => cancelRedrive(tx, id, REQUESTED_BY))))
  }

  private changed(redrive: RedriveRow) {
    const { id, tenantId, state, counted } = redrive
    this.log.info(
      { redrive_id: id, tenant_id: tenantId, state, counted, by: REQUESTED_BY },
      'redrive.changed',
    )
    return redriveJson(redrive)
  }
}

/** Null = all destinations of the tenant; those that are disabled when their turn comes are skipped. */
async function enabledDestination(
  tx: EntityManager,
  { tenantId, destinationId }: RedriveInput,
): Promise<DestinationUid | null> {
  if (destinationId === null) return null
  const found = await findDestination(tx, tenantId, destinationId)
  if (!found) throw notFound('destination')
  checkEnabled(found.entry.disabledAt)
  return found.entry.uid
}

async function checkStillEnabled(tx: EntityManager, uid: DestinationUid | null): Promise<void> {
  if (uid === null) return
  const found = (await findDestinationsByUid(tx, [uid])).get(uid)
  if (!found) throw notFound('destination of the redrive')
  checkEnabled(found.entry.disabledAt)
}

function checkEnabled(disabledAt: string | null): void {
  if (disabledAt === null) return
  throw new ApiError(409, 'destination_disabled', 'the destination is disabled; enable it, then redrive')
}

function valueOf(result: Result<RedriveRow, RedriveRefusal>): RedriveRow {
  if (result.ok) return result.value
  const { failure } = result
  switch (failure.reason) {
    case 'not-found':
      throw notFound('redrive')
    case 'not-possible':
      throw new ApiError(409, 'redrive_not_possible', `the redrive is ${failure.state}`, {
        state: failure.state,
      })
    case 'overlaps': {
      const message = `redrive ${failure.id} is running for some of the same dead letters; wait for it or cancel it`
      throw new ApiError(409, 'redrive_overlaps', message, { redrive_id: failure.id })
    }
  }
}
