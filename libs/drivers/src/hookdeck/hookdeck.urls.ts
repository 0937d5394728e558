import type { SenderTools } from '../driver.js'
import type { Network } from '../network/network.js'

/** Where Hookdeck takes events, and where it is asked about a source; operators may name others for both. */
const EVENTS_URL = 'https://hkdk.events'
const API_URL = 'https://api.hookdeck.com'
/** The version of Hookdeck's API whose answers are read here. */
const API_VERSION = '2025-01-01'

type Endpoints = ReadonlyMap<string, string>

export const eventsUrl = (endpoints: Endpoints, sourceId: string): string =>
  `${baseOf(endpoints.get('hookdeck') ?? EVENTS_URL)}/${sourceId}`

export const verifyUrl = (endpoints: Endpoints, sourceId: string): string =>
  `${baseOf(endpoints.get('hookdeck_api') ?? API_URL)}/${API_VERSION}/sources/${sourceId}/managed/verify`

/** No rule judges what the operator names. */
export const networkFor = (
  name: 'hookdeck' | 'hookdeck_api',
  { network, endpoints }: SenderTools,
): Network => (endpoints.has(name) ? network.unjudged() : network)

const baseOf = (url: string): string => url.replace(/\/+$/, '')
