import type { Driver, RawSettings, Sender, SenderTools } from '../driver.js'
import { testTools } from './test-tools.js'

/** Opens a sender as the product does: with what is made for the tenant added. Settings that are not valid throw. */
export function openSender(driver: Driver, settings: RawSettings, tools: SenderTools = testTools()): Sender {
  const { credentials } = driver.completeCredentials(settings.credentials, settings.config)
  const valid = driver.validate({ config: settings.config, credentials })
  if (!valid.ok) throw new Error(JSON.stringify(valid.failure))
  return driver.open(valid.value, tools)
}
