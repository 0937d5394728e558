/**
 * One connection of a sender, opened when it is first wanted and opened anew after it was lost. Callers that come
 * while it is being opened share the attempt; a failure is told to them and not kept. For clients whose own
 * reconnecting is switched off, so that every address is judged again and no event waits in a queue of the client.
 */
export class ConnectionSlot<Connection> {
  private opening: Promise<Connection> | null = null
  private current: Connection | null = null
  private isClosed = false

  /**
   * `open` calls `lost`, at any time and any number of times, when its connection is of no more use. `end` must not
   * throw.
   */
  constructor(
    private readonly open: (lost: () => void) => Promise<Connection>,
    private readonly end: (connection: Connection) => Promise<void>,
  ) {}

  /** Rejects as `open` does. */
  get(): Promise<Connection> {
    if (this.opening !== null) return this.opening
    const opening = this.start(() => {
      if (this.opening !== opening) return
      this.opening = null
      this.current = null
    })
    this.opening = opening
    return opening
  }

  /** Ends the connection; one that is being opened ends when it stands, which is not waited for. */
  async close(): Promise<void> {
    this.isClosed = true
    if (this.current !== null) await this.end(this.current)
  }

  private async start(lost: () => void): Promise<Connection> {
    // Not before `get` has noted what it started.
    await Promise.resolve()
    let isLost = false
    try {
      const connection = await this.open(() => {
        isLost = true
        lost()
      })
      if (!isLost) this.current = connection
      if (this.isClosed) await this.end(connection)
      return connection
    } catch (error) {
      lost()
      throw error
    }
  }
}
