import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { guardProgram } from '../paths.js'

export interface GuardedOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** User and group to run as, when the parent is root. */
  readonly uid?: number | undefined
  readonly stopSignal: NodeJS.Signals
  readonly logFile: string
}

/** A service under a guard, which ends it when this process dies. */
export interface Guarded {
  /** Of the service itself, not of its guard. */
  readonly pid: number
  readonly hasExited: boolean
  /** Resolves when the service has ended. */
  readonly exited: Promise<void>
  readonly stop: () => Promise<void>
  /** `kill -9` of the service, for failure tests. */
  readonly kill9: () => Promise<void>
}

/** Starts a service in a process group of its own, so that Ctrl-C does not reach it before the apps have ended. */
export async function startGuarded(options: GuardedOptions): Promise<Guarded> {
  const guard = spawn(process.execPath, [guardProgram, JSON.stringify(options)], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  // A guard that has ended cannot be told to stop; that is no error.
  guard.stdin.on('error', () => undefined)
  const state = { hasExited: false }
  const exited = new Promise<void>((resolve) =>
    guard.once('close', () => {
      state.hasExited = true
      resolve()
    }),
  )
  const pid = await pidOf(guard, options.command)
  return {
    pid,
    exited,
    get hasExited() {
      return state.hasExited
    },
    stop: async () => {
      guard.stdin.end()
      await exited
    },
    kill9: async () => {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended already.
      }
      await exited
    },
  }
}

function pidOf(guard: ChildProcessByStdio<Writable, Readable, null>, command: string): Promise<number> {
  return new Promise((resolve, reject) => {
    createInterface({ input: guard.stdout }).on('line', (line) => {
      const [word, ...rest] = line.split(' ')
      if (word === 'pid') resolve(Number(rest[0]))
      else reject(new Error(`${command} did not start: ${line}`))
    })
    guard.once('close', () => reject(new Error(`${command} did not start`)))
  })
}
