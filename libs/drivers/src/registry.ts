import type { Driver } from './driver.js'
import { webhook } from './webhook/webhook.driver.js'

/** Every destination type of this release. */
export const drivers: readonly Driver[] = [webhook]

const driverByType: ReadonlyMap<string, Driver> = new Map(drivers.map((driver) => [driver.type, driver]))

export const findDriver = (type: string): Driver | undefined => driverByType.get(type)
