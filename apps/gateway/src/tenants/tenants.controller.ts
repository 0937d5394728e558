import { Body as RequestBody, Controller, Delete, Get, Inject, Param, Put, Query, Res } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import type { TenantRow } from '@barnabas/storage'
import { PROPAGATED_HEADER } from '../catalog/propagation.js'
import { parseBody } from '../http/body.js'
import { pagination, readListQuery, valuesOf, type RawQuery } from '../http/query.js'
import { Policies } from '../retries/policies.js'
import { TenantsService } from './tenants.service.js'

const LIST = { defaultLimit: 20, maxLimit: 100, orderBy: 'created_at' } as const

@Controller('tenants')
export class TenantsController {
  constructor(
    @Inject(TenantsService) private readonly tenants: TenantsService,
    @Inject(Policies) private readonly policies: Policies,
  ) {}

  @Put(':tenantId')
  async put(
    @Param('tenantId') id: string,
    @RequestBody() bytes: Buffer | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { value, isPropagated } = await this.tenants.put(id, parseBody(bytes).json)
    void reply.status(value.isNew ? 201 : 200).header(PROPAGATED_HEADER, String(isPropagated))
    return this.json(value.tenant)
  }

  @Get(':tenantId')
  async get(@Param('tenantId') id: string) {
    return this.json(await this.tenants.get(id))
  }

  @Get()
  async list(@Query() query: RawQuery) {
    const { time: _time, ...list } = readListQuery(query, LIST)
    const ids = valuesOf(query, 'id')
    const page = await this.tenants.list({ ...list, ...(ids ? { ids } : {}) })
    return {
      models: page.rows.map((tenant) => this.json(tenant)),
      pagination: pagination(list, page, LIST.orderBy),
      count: page.count,
    }
  }

  @Delete(':tenantId')
  async delete(@Param('tenantId') id: string, @Res({ passthrough: true }) reply: FastifyReply) {
    const { isPropagated } = await this.tenants.delete(id)
    void reply.header(PROPAGATED_HEADER, String(isPropagated))
    return { success: true }
  }

  private json(tenant: TenantRow) {
    return {
      id: tenant.id,
      external_id: tenant.uid,
      destinations_count: tenant.destinationsCount,
      topics: tenant.topics,
      metadata: tenant.metadata,
      ...this.policies.jsonOfTenant(tenant.policy),
      created_at: tenant.createdAt,
      updated_at: tenant.updatedAt,
    }
  }
}
