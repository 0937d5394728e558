import { setTimeout as wait } from 'node:timers/promises'
import { AppProcess, freePort, type AppName } from '@barnabas/tools'

/** As the supervisor of a container platform, which starts a dead process again almost at once. */
const RESTART_DELAY_MS = 500
const READY_LIMIT_MS = 120_000

export interface FleetOptions {
  /** Settings of all apps. */
  readonly env: Readonly<Record<string, string>>
  readonly apiPort: number
  readonly onLine: (member: string, line: string) => void
}

/** One app of the stack: the same place over all its restarts. */
export interface Member {
  /** `<app>-<number>`. */
  readonly name: string
  readonly app: AppName
  process: AppProcess
  /** It is to run; one that ends nevertheless is started again. */
  isWanted: boolean
}

/** The apps of a stack, any number of each, that come, go and die one by one. */
export class Fleet {
  private readonly members: Member[] = []
  private started = 0

  constructor(private readonly options: FleetOptions) {}

  /** Resolves when it is ready; throws when it is not within two minutes. */
  async start(app: AppName): Promise<Member> {
    const member: Member = {
      name: `${app}-${++this.started}`,
      app,
      isWanted: true,
      process: await this.spawn(app, `${app}-${this.started}`),
    }
    this.members.push(member)
    this.watch(member)
    await this.untilReady(member)
    return member
  }

  /** Those of an app that are to run, oldest first. */
  of(app: AppName): Member[] {
    return this.members.filter((member) => member.app === app && member.isWanted)
  }

  /** The oldest of an app. */
  one(app: AppName): Member {
    const [first] = this.of(app)
    if (!first) throw new Error(`no ${app} runs`)
    return first
  }

  /** As the kernel would when memory is short. It is started again by itself. */
  async kill9(member: Member): Promise<void> {
    await member.process.kill9()
  }

  /** SIGTERM, and it is gone. */
  async stop(member: Member): Promise<void> {
    member.isWanted = false
    await member.process.stop()
  }

  /** SIGTERM and a new one in its place. Resolves when that is ready, with the moment when the old one had ended. */
  async restart(member: Member): Promise<{ endedAtMs: number }> {
    member.isWanted = false
    await member.process.stop()
    const endedAtMs = Date.now()
    member.process = await this.spawn(member.app, member.name)
    member.isWanted = true
    this.watch(member)
    await this.untilReady(member)
    return { endedAtMs }
  }

  freeze({ process: { pid } }: Member): void {
    process.kill(pid, 'SIGSTOP')
  }

  thaw({ process: { pid } }: Member): void {
    process.kill(pid, 'SIGCONT')
  }

  async untilReady(member: Member): Promise<void> {
    const endMs = Date.now() + READY_LIMIT_MS
    while (Date.now() < endMs) {
      if (await member.process.untilReady(Math.max(endMs - Date.now(), 1))) return
      await wait(RESTART_DELAY_MS)
    }
    throw new Error(`${member.name} was not ready after ${READY_LIMIT_MS / 1_000} s`)
  }

  /** All at once, in order. */
  async stopAll(): Promise<void> {
    const running = this.members.filter(({ process }) => !process.hasExited)
    for (const member of this.members) member.isWanted = false
    await Promise.all(running.map((member) => this.endFrozenToo(member)))
  }

  private async endFrozenToo(member: Member): Promise<void> {
    if (!member.process.hasExited) this.thaw(member)
    await member.process.stop()
  }

  private async spawn(app: AppName, name: string): Promise<AppProcess> {
    const { env, apiPort, onLine } = this.options
    const isGateway = app === 'gateway'
    const healthPort = await freePort()
    const ports: Record<string, string> = isGateway
      ? { API_PORT: String(apiPort), METRICS_PORT: String(healthPort) }
      : { HEALTH_PORT: String(healthPort) }
    return new AppProcess({
      name: app,
      port: healthPort,
      env: { ...env, ...ports },
      onLine: (line) => onLine(name, line),
    })
  }

  private watch(member: Member): void {
    const { process: watched } = member
    void watched.exited.then(async (code) => {
      if (!member.isWanted || member.process !== watched) return
      this.options.onLine(member.name, `ended (${code}), started again`)
      await wait(RESTART_DELAY_MS)
      if (!member.isWanted) return
      member.process = await this.spawn(member.app, member.name)
      this.watch(member)
    })
  }
}
