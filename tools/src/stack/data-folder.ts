import { randomBytes } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { Problem } from '../problem.js'

/** Tells that a folder is ours, so that `npm run reset` never removes another. */
const MARKER = 'barnabas-data-folder'
const RUN_FILE = 'run.json'
const LOCK_FILE = 'lock'
const SECRETS_FILE = 'secrets.json'

/** What a running instance tells the other programs. Holds the key: readable by its owner only. */
export interface RunState {
  /** Of the supervisor. */
  readonly pid: number
  readonly apiUrl: string
  readonly apiKey: string
  readonly databaseUrl: string
  readonly kafkaBrokers: string
  readonly kafkaTopicPrefix: string
  readonly retrySchedule: string
  readonly retryTiers: string
  /** By app: where its health endpoints and its metrics are, and which process it is. */
  readonly apps: Readonly<
    Record<string, { readonly port: number; readonly metricsPort: number; readonly pid: number }>
  >
  readonly services: Readonly<Record<string, { readonly port: number; readonly pid: number }>>
}

export interface Secrets {
  readonly apiKey: string
  readonly secretKeys: string
}

/** The folder in which an instance keeps its data, its keys, and what it runs. */
export class DataFolder {
  readonly path: string

  constructor(path: string) {
    this.path = resolve(path)
  }

  /** Makes the folder when it is missing. Throws a problem when it cannot be written or is not ours. */
  prepare(): void {
    try {
      makeFolder(this.path)
      accessSync(this.path, constants.W_OK)
      const isForeign = !existsSync(join(this.path, MARKER)) && readdirSync(this.path).length > 0
      if (isForeign) throw new Error('it holds files of something else')
      writeFileSync(join(this.path, MARKER), 'made by npm start\n')
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Problem(
        `DATA_DIR is ${this.path}, which cannot be used: ${reason}.\nSet DATA_DIR to another folder.`,
      )
    }
  }

  /** Keys that were made on the first start, or now. */
  secrets(): Secrets {
    const file = join(this.path, SECRETS_FILE)
    if (!existsSync(file)) {
      const made: Secrets = {
        apiKey: `bk_${randomBytes(24).toString('base64url')}`,
        secretKeys: `k1:${randomBytes(32).toString('base64')}`,
      }
      writeFileSync(file, JSON.stringify(made, null, 2), { mode: 0o600 })
    }
    return JSON.parse(readFileSync(file, 'utf8')) as Secrets
  }

  /** Makes this process the one that runs on the folder. Throws a problem that names the one that does already. */
  lock(): void {
    const file = join(this.path, LOCK_FILE)
    const holder = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
    if (holder > 0 && holder !== process.pid && isAlive(holder)) {
      throw new Problem(
        `Barnabas runs on ${this.path} already, as process ${holder}.\n` +
          'Stop it with Ctrl-C, or set DATA_DIR and API_PORT to others to run a second one.',
      )
    }
    rmSync(file, { force: true })
    // Of two that start at the same moment one fails here.
    writeFileSync(file, String(process.pid), { flag: 'wx' })
  }

  unlock(): void {
    rmSync(join(this.path, LOCK_FILE), { force: true })
  }

  /** The process that runs on the folder now, or null. */
  holder(): number | null {
    const file = join(this.path, LOCK_FILE)
    const holder = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
    return holder > 0 && isAlive(holder) ? holder : null
  }

  /** What the last start wrote, whether it still runs or not. */
  lastRun(): RunState | null {
    try {
      return JSON.parse(readFileSync(join(this.path, RUN_FILE), 'utf8')) as RunState
    } catch {
      return null
    }
  }

  /** The instance that runs on this folder now. */
  running(): RunState | null {
    const last = this.lastRun()
    return last && last.pid === this.holder() ? last : null
  }

  saveRun(state: RunState): void {
    writeFileSync(join(this.path, RUN_FILE), JSON.stringify(state, null, 2), { mode: 0o600 })
  }

  /** Throws a problem when the folder is not one of ours. */
  checkIsOurs(): void {
    if (existsSync(join(this.path, MARKER))) return
    throw new Problem(`${this.path} was not made by npm start, so nothing was removed. Check DATA_DIR.`)
  }

  /** Removes the folder, if it is one of ours. */
  remove(): void {
    this.checkIsOurs()
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** As `mkdir -p`. Node's own recursive mkdir never returns where the system refuses a folder with ENOENT (/proc). */
function makeFolder(path: string): void {
  if (existsSync(path)) return
  makeFolder(dirname(path))
  mkdirSync(path)
}

/** A process id can be given to another program after a restart of the machine: then its command line tells. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('start.js')
  } catch {
    return true
  }
}
