/** What became of one event that the publisher sent. */
export interface PublishedEvent {
  readonly id: string
  readonly tenantId: string
  readonly topic: string
  /** When it was first sent, milliseconds since 1970. */
  readonly sentAtMs: number
  /** When its last answer was read, or was given up; milliseconds since 1970. */
  readonly answeredAtMs: number
  /** Of the last answer; 0 = there was none. */
  readonly status: number
  /** Requests that it took. */
  readonly tries: number
}

/** A request that a receiver got. */
export interface Arrival {
  readonly destinationId: string
  readonly eventId: string
  readonly attempt: number
  /** Milliseconds since 1970. */
  readonly atMs: number
  /** As answered; 0 = it was not. */
  readonly status: number
}

export const ACCEPTED = 202

export const isAccepted = ({ status }: PublishedEvent): boolean => status === ACCEPTED

/** Events that only tell whether everything flows yet. They are in no count. */
export const PROBE_PREFIX = 'probe-'

const SUCCESS_FROM = 200
const SUCCESS_TO = 299

export const isAcknowledged = ({ status }: Arrival): boolean => status >= SUCCESS_FROM && status <= SUCCESS_TO
