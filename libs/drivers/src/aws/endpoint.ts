import type { NamedAddress, SenderTools } from '../driver.js'
import { addressOfUrl } from '../network/http.js'
import type { Network } from '../network/network.js'

/** Where a client connects to. `url` is undefined for the public address that the client itself makes of its region. */
export interface AwsEndpoint {
  readonly url: string | undefined
  readonly network: Network
}

/** China and the sovereign regions have suffixes of their own. */
const AWS_SUFFIXES = ['.amazonaws.com', '.amazonaws.com.cn', '.amazonaws.eu', '.api.aws']

const isAwsHost = (host: string): boolean => AWS_SUFFIXES.some((suffix) => host.endsWith(suffix))

/**
 * `named`: the address in the tenant's settings. One outside AWS is dialled under the network's rules; in place of
 * AWS itself comes the operator's endpoint of this type, which no rule judges.
 */
export function endpointOf(type: string, named: string | undefined, tools: SenderTools): AwsEndpoint {
  const isPublic = named === undefined || isAwsHost(new URL(named).hostname)
  const operators = isPublic ? tools.endpoints.get(type) : undefined
  if (operators !== undefined) return { url: operators, network: tools.network.unjudged() }
  return { url: named === undefined ? undefined : baseOf(named), network: tools.network }
}

/** Origin and path: a gateway may serve a service below a path. */
function baseOf(url: string): string {
  const { origin, pathname } = new URL(url)
  return origin + pathname.replace(/\/$/, '')
}

/** What of an optional field is judged when a destination is written. */
export const addressesOf = (path: string, url: string | undefined): NamedAddress[] =>
  url === undefined ? [] : [{ path, ...addressOfUrl(url) }]

/** Where nothing names a region: emulators take any. */
const DEFAULT_REGION = 'us-east-1'
const REGION = /^[a-z]{2,4}(-[a-z]+)+-\d{1,2}$/

/** The first region in a host of AWS: `sqs.eu-west-1.amazonaws.com`, `vpce-1-a.sqs.eu-west-1.vpce.amazonaws.com`. */
export function regionOfUrls(urls: readonly string[]): string {
  const hosts = urls.map((url) => new URL(url).hostname).filter(isAwsHost)
  return hosts.flatMap((host) => host.split('.')).find((label) => REGION.test(label)) ?? DEFAULT_REGION
}

/** The region in an ARN: `arn:aws:sns:eu-west-1:123456789012:events`. */
export const regionOfArn = (arn: string): string | undefined => arn.split(':')[3] || undefined
