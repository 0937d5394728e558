import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { root } from '../paths.js'

export const APPS = ['gateway', 'router', 'dispatcher', 'retrier', 'recorder'] as const
export type AppName = (typeof APPS)[number]

export interface AppOptions {
  readonly name: string
  /** Where its health endpoints are, as in a URL; loopback unless given. */
  readonly host?: string
  readonly port: number
  /** Where `/metrics` is, when it is apart. */
  readonly metricsPort?: number
  /** Answers with a success when the app is ready; `/readyz` unless given. */
  readonly readyPath?: string
  /** The app's own settings, over this process's environment. */
  readonly env: Readonly<Record<string, string>>
  readonly onLine: (line: string) => void
  /** Compiled entry point; that of the app with this name unless given. */
  readonly program?: string
}

/** After SIGTERM an app drains for two seconds and closes; one that takes longer hangs. */
const STOP_LIMIT_MS = 10_000
const READY_POLL_MS = 50
/** For people who profile: `APP_NODE_ARGS="--cpu-prof --cpu-prof-dir=/tmp/profiles" npm run bench`. */
const NODE_ARGS = (process.env['APP_NODE_ARGS'] ?? '').split(' ').filter((arg) => arg !== '')

/** One running app. Ends by itself when this process dies, because its standard input ends. */
export class AppProcess {
  private readonly child: ChildProcess
  private exitCode: number | NodeJS.Signals | null = null
  readonly exited: Promise<number | NodeJS.Signals>

  constructor(private readonly options: AppOptions) {
    const program = options.program ?? join(root, 'apps', options.name, 'dist', 'main.js')
    // A process group of its own: Ctrl-C must reach the supervisor alone, which stops things in order.
    this.child = spawn(
      process.execPath,
      [...NODE_ARGS, '--enable-source-maps', '--disable-warning=TimeoutNegativeWarning', program],
      {
        cwd: root,
        detached: true,
        env: { ...process.env, ...options.env, BARNABAS_SUPERVISED: 'true' },
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    )
    this.child.stdin?.on('error', () => undefined)
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', options.onLine)
    }
    this.exited = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.exitCode = code ?? signal ?? 0
        resolve(this.exitCode)
      }
      this.child.once('exit', end)
      this.child.once('error', () => end(1, null))
    })
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  get hasExited(): boolean {
    return this.exitCode !== null
  }

  get port(): number {
    return this.options.port
  }

  get metricsPort(): number {
    return this.options.metricsPort ?? this.options.port
  }

  async isReady(): Promise<boolean> {
    const { host = '127.0.0.1', port, readyPath = '/readyz' } = this.options
    try {
      return (await fetch(`http://${host}:${port}${readyPath}`)).ok
    } catch {
      return false
    }
  }

  /** False when it ended, or was not ready within the time. */
  async untilReady(timeoutMs: number): Promise<boolean> {
    const deadlineMs = Date.now() + timeoutMs
    while (Date.now() < deadlineMs && !this.hasExited) {
      if (await this.isReady()) return true
      await wait(READY_POLL_MS)
    }
    return false
  }

  async stop(): Promise<void> {
    if (this.hasExited) return
    this.child.kill('SIGTERM')
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_LIMIT_MS)
    await this.exited
    clearTimeout(timer)
  }

  async kill9(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.exited
  }
}
