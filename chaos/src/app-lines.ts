/** Of one message of one app: the first ones tell what happened, thousands tell no more. */
const KEPT_OF_A_KIND = 50

/** What the apps log, with the moment and the app. Repetitions beyond fifty are counted only. */
export class AppLines {
  private readonly kept: string[] = []
  private readonly countByKind = new Map<string, number>()

  add(member: string, line: string): void {
    const kind = `${member} ${/"message":"([^"]*)"/.exec(line)?.[1] ?? ''}`
    const count = (this.countByKind.get(kind) ?? 0) + 1
    this.countByKind.set(kind, count)
    if (count <= KEPT_OF_A_KIND) this.kept.push(`${new Date().toISOString()} ${member} ${line}`)
  }

  /** In order, and then what was logged too often to be kept. */
  toArray(): string[] {
    const often = [...this.countByKind].filter(([, count]) => count > KEPT_OF_A_KIND)
    return [...this.kept, ...often.map(([kind, count]) => `${kind}: ${count} times in all`)]
  }
}
