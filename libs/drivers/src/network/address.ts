/** An address that somebody named, before any name is resolved. */
export interface Address {
  /** A name, or a literal IPv4 or IPv6 address without brackets. */
  readonly host: string
  readonly port: number
  /** True for http without TLS. */
  readonly isPlainHttp?: boolean
}

/** Thrown by dialling, code `EBLOCKED`. One sentence for all reasons: the answer is no port scanner. */
export class BlockedError extends Error {
  readonly code = 'EBLOCKED'
  constructor() {
    super('the address may not be connected to')
  }
}

/** IPv6 literals stand in brackets in URLs only. */
export const bareHost = (hostname: string): string => hostname.replace(/^\[(.*)\]$/, '$1')
