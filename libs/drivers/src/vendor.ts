import type { SenderTools } from './driver.js'
import { bareHost } from './network/http.js'
import { Network, type NetworkRules } from './network/network.js'

/** Where a vendor's API is reached, and by which network. */
export interface Vendor {
  readonly url: string
  readonly network: Network
}

/** The operator names an endpoint on purpose: every address that its name has is allowed, and no other name is. */
const rulesFor = (endpoint: string): NetworkRules => ({
  allowedNetworks: ['0.0.0.0/0', '::/0'],
  allowedNames: [bareHost(new URL(endpoint).hostname)],
  allowedPorts: [],
  allowsPlainHttp: true,
})

/**
 * The vendor's public URL, or the endpoint that the operator named for the destination type in its place. Path and
 * query of `url` stay, behind the endpoint's path: they say what is asked for, the endpoint only says where.
 */
export function vendorOf(type: string, url: string, { network, endpoints }: SenderTools): Vendor {
  const endpoint = endpoints.get(type)
  if (endpoint === undefined) return { url, network }
  const { pathname, search } = new URL(url)
  const base = new URL(endpoint)
  const path = base.pathname.replace(/\/$/, '') + pathname + search
  return { url: base.origin + path, network: new Network(rulesFor(endpoint)) }
}
