/** A server that was started here. */
export interface Service {
  readonly port: number
  readonly pid: number
  /** Resolves when it has ended, for whatever reason. */
  readonly exited: Promise<void>
  /** Ends it in order and waits for that. Safe to call twice. */
  stop(): Promise<void>
  /** `kill -9`, for failure tests. */
  kill9(): Promise<void>
}
