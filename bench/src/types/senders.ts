import { findDriver, LOOPBACK_RULES, Network, type Sender } from '@barnabas/drivers'
import type { TargetInfo } from './bench-type.js'
import type { Sample } from './events.js'

/** Opens a sender of ours as the dispatcher does; throws when the settings are not valid. */
export function openSender(type: string, { settings, endpoints }: TargetInfo): Sender {
  const driver = findDriver(type)
  if (!driver) throw new Error(`there is no destination type ${type}`)
  const { config } = settings
  const { credentials } = driver.completeCredentials(settings.credentials, config)
  const valid = driver.validate({ config, credentials })
  if (!valid.ok) throw new Error(`${type}: ${JSON.stringify(valid.failure)}`)
  const tools = { network: new Network(LOOPBACK_RULES), endpoints: new Map(Object.entries(endpoints)) }
  return driver.open(valid.value, tools)
}

/** One attempt, with a signal of its own as the dispatcher makes it. Rejects when the event was not delivered. */
export async function deliver(sender: Sender, { event, attempt }: Sample): Promise<void> {
  const outcome = await sender.send(event, attempt, new AbortController().signal)
  if (outcome.kind !== 'delivered') throw new Error(`${outcome.code}: ${outcome.detail}`)
}
