/** Dead places at the front that are cleared away at once; fewer would copy the array too often. */
const MIN_DEAD = 32

/** A queue whose `shift` does not move what is behind it, as an array's does. */
export class Fifo<Item> {
  private items: (Item | undefined)[] = []
  private head = 0

  get size(): number {
    return this.items.length - this.head
  }

  push(item: Item): void {
    this.items.push(item)
  }

  peek(): Item | undefined {
    return this.items[this.head]
  }

  shift(): Item | undefined {
    const item = this.items[this.head]
    if (this.head < this.items.length) this.items[this.head++] = undefined
    if (this.head >= MIN_DEAD && this.head * 2 >= this.items.length) {
      this.items = this.items.slice(this.head)
      this.head = 0
    }
    return item
  }
}
