/** Counts the sends of a sender, so that its `close` can wait for them. */
export class SendsInFlight {
  private readonly sends = new Set<Promise<unknown>>()

  /** The promise itself; counted until it is settled. */
  track<Value>(send: Promise<Value>): Promise<Value> {
    this.sends.add(send)
    const end = (): void => {
      this.sends.delete(send)
    }
    send.then(end, end)
    return send
  }

  /** Resolves when all that were tracked before have settled. Never rejects. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.sends)
  }
}
