/**
 * All consumers of a process together: what a machine of 1 GiB can bear beside code and heap. Chosen, not measured.
 * Beyond it each partition that holds nothing may still fetch once (512 KiB).
 */
const MAX_PROCESS_BYTES = 512 * 1024 * 1024
const RESUME_SHARE = 0.5

/**
 * Bytes of records that were handed out and are not finished, over all partitions of a process. Those who fetch stop
 * when it is full, and are told when half of it is free again.
 */
export class LiveBytes {
  private total = 0
  private isOver = false
  private readonly listeners = new Set<() => void>()

  constructor(private readonly maxBytes = MAX_PROCESS_BYTES) {}

  /** Full from the moment that the bound is passed until half of it is free. */
  get isFull(): boolean {
    return this.isOver
  }

  change(bytes: number): void {
    this.total += bytes
    if (!this.isOver) this.isOver = this.total > this.maxBytes
    else if (this.total <= this.maxBytes * RESUME_SHARE) {
      this.isOver = false
      for (const listener of [...this.listeners]) listener()
    }
  }

  /** Called whenever there is room again; answers with what ends it. */
  onRoom(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
}
