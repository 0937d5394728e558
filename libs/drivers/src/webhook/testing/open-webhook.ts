import type { Sender, SenderTools } from '../../driver.js'
import type { Network } from '../../network/network.js'
import { testTools } from '../../testing/test-tools.js'
import { webhook } from '../webhook.driver.js'

type Texts = Readonly<Record<string, string>>

/** A sender with these settings, secret included or made; throws when they are not valid. */
export function openWebhook(config: Texts, given: Texts = {}, tools: SenderTools = testTools()): Sender {
  const { credentials } = webhook.completeCredentials(given, config)
  const valid = webhook.validate({ config, credentials })
  if (!valid.ok) throw new Error(JSON.stringify(valid.failure))
  return webhook.open(valid.value, tools)
}

/** A sender to a URL that nobody has checked, as if it had been written before what is wrong with it was known. */
export function openUnchecked(url: string, network: Network): Sender {
  const { credentials } = webhook.completeCredentials({})
  const valid = webhook.validate({ config: { url: 'https://example.com/' }, credentials })
  if (!valid.ok) throw new Error(JSON.stringify(valid.failure))
  const settings = { ...valid.value, config: { ...valid.value.config, url } }
  return webhook.open(settings, { network, endpoints: new Map() })
}

/** What is wrong with settings, `path message` each. */
export function problemsOf(config: Texts, given: Texts = {}): string[] {
  const { credentials } = webhook.completeCredentials(given, config)
  const valid = webhook.validate({ config: { url: 'https://example.com/', ...config }, credentials })
  return valid.ok ? [] : valid.failure.map(({ path, message }) => `${path} ${message}`)
}
