import { LOOPBACK_RULES, Network } from '../network/network.js'
import type { SenderTools } from '../driver.js'

/** A network that may reach this machine, as targets of tests need it. */
export const testNetwork = (): Network => new Network(LOOPBACK_RULES)

/** `endpoints`: destination type → URL, in place of the vendor's. */
export const testTools = (endpoints: Readonly<Record<string, string>> = {}): SenderTools => ({
  network: testNetwork(),
  endpoints: new Map(Object.entries(endpoints)),
})
