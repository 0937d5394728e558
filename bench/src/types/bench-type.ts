import type { RawSettings } from '@barnabas/drivers'
import type { Sample } from './events.js'

/** A target that runs, as both sides are told of it; travels between processes. */
export interface TargetInfo {
  /** Of our sender. */
  readonly settings: RawSettings
  /** In place of the vendor's address: destination type → URL. */
  readonly endpoints: Readonly<Record<string, string>>
  /** URL or `host:port`, whatever the bare client wants. */
  readonly address: string
}

export interface RunningTarget {
  readonly info: TargetInfo
  stop(): Promise<void>
}

/** The library of a type, used in the shortest sensible way. */
export interface BareClient {
  /** Sends so many events at once, in one call where the protocol has batches; rejects when one was not taken. */
  send(samples: readonly Sample[]): Promise<unknown>
  close(): Promise<unknown>
}

/** How a destination type is measured. */
export interface BenchType {
  readonly type: string
  /** For the table: what the bare client calls for the same work. */
  readonly bareDoes: string
  /** Events in one call of the bare client: as many as our sender puts into one with 64 in flight. */
  readonly perCall: number
  /** In a process of its own. Throws a `Problem` when the machine lacks something. */
  readonly start: () => Promise<RunningTarget>
  /** Called in the sending process only. */
  readonly openBare: (address: string) => Promise<BareClient>
}

/** Events under way at any time, on both sides. */
export const IN_FLIGHT = 64
