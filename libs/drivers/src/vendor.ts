import type { SenderTools } from './driver.js'
import type { Network } from './network/network.js'

/** Where a vendor's API is reached, and by which network. */
export interface Vendor {
  readonly url: string
  readonly network: Network
}

/**
 * The vendor's public URL, or the endpoint that the operator named for the destination type in its place. Path and
 * query of `url` stay, behind the endpoint's path: they say what is asked for, the endpoint only says where. No rule
 * judges it, for the operator names it on purpose.
 */
export function vendorOf(type: string, url: string, { network, endpoints }: SenderTools): Vendor {
  const endpoint = endpoints.get(type)
  if (endpoint === undefined) return { url, network }
  const { pathname, search } = new URL(url)
  const base = new URL(endpoint)
  const path = base.pathname.replace(/\/$/, '') + pathname + search
  return { url: base.origin + path, network: network.unjudged() }
}
