/** What runs and must be stopped, last started first. */
export class Stops {
  private readonly stack: (() => Promise<void>)[] = []
  private stopping: Promise<void> | null = null

  constructor(private readonly say: (sentence: string) => void) {}

  /** Whether the end of everything was asked for. */
  get areAsked(): boolean {
    return this.stopping !== null
  }

  push(stop: () => Promise<void>): void {
    this.stack.push(stop)
  }

  /** How much runs now, for `downTo`. */
  get height(): number {
    return this.stack.length
  }

  /** Stops what was started since there were `height`. A failure is told, and the rest is stopped all the same. */
  async downTo(height: number): Promise<void> {
    while (this.stack.length > height) {
      const stop = this.stack.pop()
      await stop?.().catch((error: unknown) => this.say(`could not stop: ${String(error)}`))
    }
  }

  /** Stops everything, at the end. May be asked from several sides; all wait for the same end. */
  all(): Promise<void> {
    return (this.stopping ??= this.downTo(0))
  }
}
