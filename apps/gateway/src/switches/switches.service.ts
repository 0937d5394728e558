import { listSwitches, switchOff, switchOn, type Storage, type SwitchRow } from '@barnabas/storage'
import type { Logger } from '@barnabas/telemetry'
import type { Propagation } from '../catalog/propagation.js'
import { notFound } from '../http/api-error.js'
import type { Propagated } from '../tenants/tenants.service.js'
import { readSwitch } from './switch-input.js'

/** Rules and transactions of operators' switches. */
export class SwitchesService {
  constructor(
    private readonly storage: Storage,
    private readonly propagation: Propagation,
    private readonly log: Logger,
  ) {}

  /** All that are on. */
  list(): Promise<SwitchRow[]> {
    return this.storage.transaction(listSwitches)
  }

  async on(name: string, subject: string): Promise<Propagated<SwitchRow>> {
    const given = readSwitch(name, subject)
    const value = await this.storage.transaction((tx) => switchOn(tx, given))
    if (!value) throw notFound('tenant')
    this.log.info({ ...given, version: value.version }, 'switch.on')
    return { value, isPropagated: await this.propagation.until([value]) }
  }

  async off(name: string, subject: string): Promise<Propagated<null>> {
    const given = readSwitch(name, subject)
    const changed = await this.storage.transaction((tx) => switchOff(tx, given))
    if (!changed) throw notFound('switch that is on')
    this.log.info({ ...given, version: changed.version }, 'switch.off')
    return { value: null, isPropagated: await this.propagation.until([changed]) }
  }
}
