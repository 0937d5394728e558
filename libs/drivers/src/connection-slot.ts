/**
 * One connection of a sender, opened when it is first wanted and opened anew after it was lost. Callers that come
 * while it is being opened share the attempt; a failure is told to them and not kept. For clients whose own
 * reconnecting is switched off, so that every address is judged again and no event waits in a queue of the client.
 */
export class ConnectionSlot<Connection> {
  private opening: Promise<Connection> | null = null
  private current: Connection | null = null
  private isClosed = false

  /** `end` must not throw. */
  constructor(
    private readonly open: () => Promise<Connection>,
    private readonly end: (connection: Connection) => Promise<void>,
  ) {}

  /** Rejects as `open` does. */
  get(): Promise<Connection> {
    this.opening ??= this.start()
    return this.opening
  }

  /** To be called when a connection was lost; of others than the current one it knows already. */
  drop(connection: Connection): void {
    if (this.current !== connection) return
    this.current = null
    this.opening = null
  }

  /** Ends the connection; one that is being opened ends when it stands, which is not waited for. */
  async close(): Promise<void> {
    this.isClosed = true
    if (this.current !== null) await this.end(this.current)
  }

  private async start(): Promise<Connection> {
    try {
      const connection = await this.open()
      this.current = connection
      if (this.isClosed) await this.end(connection)
      return connection
    } catch (error) {
      this.opening = null
      throw error
    }
  }
}
