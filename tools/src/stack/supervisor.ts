import { AppProcess, type AppOptions } from './app-process.js'

export interface SupervisorOptions {
  /** Told when an app ended and when it is started again. */
  readonly say: (line: string) => void
  readonly onChange?: () => void
}

/** An app that dies at once must not burn the machine; one that ran for a while starts again quickly. */
const FIRST_RESTART_DELAY_MS = 500
const MAX_RESTART_DELAY_MS = 10_000
const LONG_ENOUGH_UP_MS = 30_000

interface Watched {
  readonly options: AppOptions
  process: AppProcess
  startedAtMs: number
  restartDelayMs: number
  restartTimer: NodeJS.Timeout | null
  isRestarting: boolean
}

/** Keeps apps running: one that ends is started again, with a growing delay. */
export class Supervisor {
  private readonly watchedByName = new Map<string, Watched>()
  private isStopping = false

  constructor(private readonly options: SupervisorOptions) {}

  start(app: AppOptions): void {
    const watched: Watched = {
      options: app,
      process: new AppProcess(app),
      startedAtMs: Date.now(),
      restartDelayMs: FIRST_RESTART_DELAY_MS,
      restartTimer: null,
      isRestarting: false,
    }
    this.watchedByName.set(app.name, watched)
    this.watch(watched)
  }

  /** The running process of an app; the newest, when it was restarted. */
  app(name: string): AppProcess {
    const watched = this.watchedByName.get(name)
    if (!watched) throw new Error(`no app "${name}" is supervised`)
    return watched.process
  }

  get names(): string[] {
    return [...this.watchedByName.keys()]
  }

  /** False when one of them is not ready within the time. */
  async untilReady(timeoutMs: number): Promise<boolean> {
    const deadlineMs = Date.now() + timeoutMs
    for (const name of this.names) {
      while (!(await this.app(name).untilReady(Math.max(deadlineMs - Date.now(), 1)))) {
        if (Date.now() >= deadlineMs) return false
        await new Promise((resolve) => setTimeout(resolve, FIRST_RESTART_DELAY_MS))
      }
    }
    return true
  }

  /** Stops an app and starts it anew, in order; it does not count as dead. */
  async restart(name: string): Promise<void> {
    const watched = this.watchedByName.get(name)
    if (!watched) throw new Error(`no app "${name}" is supervised`)
    watched.isRestarting = true
    await watched.process.stop()
    watched.isRestarting = false
    watched.process = new AppProcess(watched.options)
    this.watch(watched)
  }

  /** All apps at once; they drain for two seconds at most. */
  async stop(): Promise<void> {
    this.isStopping = true
    const all = [...this.watchedByName.values()]
    for (const { restartTimer } of all) if (restartTimer) clearTimeout(restartTimer)
    await Promise.all(all.map(({ process }) => process.stop()))
  }

  /** Without any order, for a second Ctrl-C. */
  kill(): void {
    this.isStopping = true
    for (const { process } of this.watchedByName.values()) void process.kill9()
  }

  private watch(watched: Watched): void {
    const { process, options } = watched
    watched.startedAtMs = Date.now()
    this.options.onChange?.()
    void process.exited.then((code) => {
      if (this.isStopping || watched.isRestarting) return
      const wasLongUp = Date.now() - watched.startedAtMs >= LONG_ENOUGH_UP_MS
      const delayMs = wasLongUp ? FIRST_RESTART_DELAY_MS : watched.restartDelayMs
      watched.restartDelayMs = Math.min(delayMs * 2, MAX_RESTART_DELAY_MS)
      this.options.say(`${options.name} ended (${code}); it is started again in ${delayMs / 1_000} s.`)
      watched.restartTimer = setTimeout(() => {
        watched.process = new AppProcess(options)
        this.watch(watched)
      }, delayMs)
    })
  }
}
