import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Problem } from '../problem.js'
import { startGuarded, type Guarded } from '../services/guarded.js'
import { logTail } from '../services/log-tail.js'
import { throwawayFolder } from '../services/throwaway.js'
import { findProgram } from './find-program.js'

export interface TargetServerOptions {
  /** Part of the folder's name, and what problems call it. */
  readonly name: string
  readonly port: number
  readonly command: string
  /** Shown when the command is not there. */
  readonly install: string
  /** Arguments; `folder` is the server's own, removed at the end. */
  readonly args: (folder: string) => readonly string[]
}

/** A server of a vendor on loopback, for tests of one destination type. */
export interface TargetServer {
  readonly port: number
  /** Ends it and removes its folder. Safe to call twice. */
  stop(): Promise<void>
  /** Ends it and starts it again on the same port and folder. */
  restart(): Promise<void>
  /** Tells it to read its files again; it does so in its own time. */
  reload(): void
  /** From now on it takes connections and answers nothing. */
  freeze(): void
  thaw(): void
}

const READY_LIMIT_MS = 30_000
const POLL_MS = 20

/** Starts a server as a child process in a throwaway folder; resolves when its port takes connections. */
export async function startTargetServer(options: TargetServerOptions): Promise<TargetServer> {
  const folder = throwawayFolder(options.name)
  let running: Guarded
  try {
    running = await run(options, folder)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
  const signal = (name: NodeJS.Signals): void => {
    if (!running.hasExited) process.kill(running.pid, name)
  }
  // A frozen process would not notice that it shall end.
  const end = (): Promise<void> => {
    signal('SIGCONT')
    return running.stop()
  }
  return {
    port: options.port,
    stop: async () => {
      await end()
      rmSync(folder, { recursive: true, force: true })
    },
    restart: async () => {
      await end()
      running = await run(options, folder)
    },
    reload: () => signal('SIGHUP'),
    freeze: () => {
      signal('SIGSTOP')
      untilFrozen(running.pid)
    },
    thaw: () => signal('SIGCONT'),
  }
}

async function run(
  { name, port, command, install, args }: TargetServerOptions,
  cwd: string,
): Promise<Guarded> {
  const logFile = join(cwd, 'server.log')
  let guarded: Guarded
  try {
    guarded = await startGuarded({
      command: findProgram(command) ?? command,
      args: args(cwd),
      cwd,
      stopSignal: 'SIGTERM',
      logFile,
    })
  } catch (error) {
    throw new Problem(`${name} could not be started (${String(error)}). Install it: ${install}`)
  }
  const deadlineMs = Date.now() + READY_LIMIT_MS
  while (Date.now() < deadlineMs && !guarded.hasExited) {
    if (await takesConnections(port)) return guarded
    await wait(POLL_MS)
  }
  await guarded.stop()
  throw new Problem(`${name} did not start:\n${logTail(logFile)}`)
}

const FREEZE_LIMIT_MS = 1_000

/** The signal stops the threads one after the other; where there is no /proc, nobody waits for that. */
export function untilFrozen(pid: number): void {
  const deadlineMs = Date.now() + FREEZE_LIMIT_MS
  const tasks = `/proc/${pid}/task`
  try {
    while (Date.now() < deadlineMs) {
      const states = readdirSync(tasks).map((task) => readFileSync(`${tasks}/${task}/stat`, 'utf8'))
      if (states.every((state) => /\) [TtZX] /.test(state))) return
    }
  } catch {
    // No /proc, or a thread that ended while it was looked at.
  }
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const end = (does: boolean): void => {
      socket.destroy()
      resolve(does)
    }
    socket.once('connect', () => end(true)).once('error', () => end(false))
  })
}
