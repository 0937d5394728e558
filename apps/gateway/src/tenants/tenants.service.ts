import { checkId, metadataOf, type Problem } from '@barnabas/domain'
import {
  deleteTenant,
  findTenant,
  listTenants,
  upsertTenant,
  type Storage,
  type TenantChange,
  type TenantQuery,
  type TenantRow,
} from '@barnabas/storage'
import type { Propagation } from '../catalog/propagation.js'
import { notFound, validationFailed } from '../http/api-error.js'
import { badCursor } from '../http/query.js'
import { POLICY_MEMBERS, readPolicy } from '../retries/retry-input.js'

/** A change and whether every router is sure to know of it. */
export interface Propagated<Value> {
  readonly value: Value
  readonly isPropagated: boolean
}

/** Rules and transactions of tenants. */
export class TenantsService {
  constructor(
    private readonly storage: Storage,
    private readonly propagation: Propagation,
  ) {}

  async put(id: string, body: unknown): Promise<Propagated<{ tenant: TenantRow; isNew: boolean }>> {
    const change = readTenant(id, body)
    const value = await this.storage.transaction((tx) => upsertTenant(tx, change))
    return { value, isPropagated: await this.propagation.until([value.tenant]) }
  }

  async get(id: string): Promise<TenantRow> {
    const tenant = await this.storage.transaction((tx) => findTenant(tx, id))
    if (!tenant) throw notFound('tenant')
    return tenant
  }

  async list(query: TenantQuery) {
    const page = await this.storage.transaction((tx) => listTenants(tx, query))
    if (page === 'bad-cursor') throw badCursor()
    return page
  }

  /** Its destinations are deleted with it. */
  async delete(id: string): Promise<Propagated<null>> {
    const changed = await this.storage.transaction((tx) => deleteTenant(tx, id))
    if (!changed) throw notFound('tenant')
    return { value: null, isPropagated: await this.propagation.until(changed) }
  }
}

const MEMBERS = ['metadata', ...POLICY_MEMBERS]

/** What is not named stays as it is. */
function readTenant(id: string, body: unknown): TenantChange {
  const problems: Problem[] = []
  const message = checkId(id)
  if (message !== null) problems.push({ path: 'tenant_id', message })
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw validationFailed([{ path: '', message: 'must be a JSON object' }])
  }
  for (const name of Object.keys(body)) {
    if (!MEMBERS.includes(name)) problems.push({ path: name, message: 'is not a member of a tenant' })
  }
  const given = 'metadata' in body ? body.metadata : undefined
  const metadata = given === undefined || given === null ? given : metadataOf(given, problems)
  const policy = readPolicy(body as Record<string, unknown>, problems)
  if (problems.length > 0) throw validationFailed(problems)
  return { id, metadata, policy }
}
