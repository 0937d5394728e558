import { spawn, spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '../ports.js'
import { Problem } from '../problem.js'
import { startGuarded } from '../services/guarded.js'
import { logTail } from '../services/log-tail.js'
import type { Service } from '../services/service.js'
import { throwawayFolder } from '../services/throwaway.js'
import { builtOnce } from './once.js'

const MOTO_VERSION = '5.2.5'
const READY_LIMIT_MS = 60_000
const POLL_MS = 50

export interface Moto extends Service {
  /** `http://127.0.0.1:port` */
  readonly url: string
}

/**
 * AWS on one machine: https://docs.getmoto.org. All services at one port, everything in memory. Takes every access
 * key. Built with pip the first time, which takes minutes.
 */
export async function startMoto(options: { readonly port?: number } = {}): Promise<Moto> {
  const environment = await motoEnvironment()
  const port = await freePort(options.port)
  const folder = throwawayFolder('moto')
  const logFile = join(folder, 'moto.log')
  const guarded = await startGuarded({
    command: join(environment, 'bin', 'python'),
    args: ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)],
    cwd: folder,
    stopSignal: 'SIGTERM',
    logFile,
  })
  const url = `http://127.0.0.1:${port}`
  const stop = async (): Promise<void> => {
    await guarded.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  if (await isReady(`${url}/moto-api/`, () => guarded.hasExited))
    return { port, url, pid: guarded.pid, exited: guarded.exited, kill9: guarded.kill9, stop }
  const log = logTail(logFile)
  await stop()
  throw new Problem(`moto did not start at ${url}:\n${log}`)
}

/** Builds what `startMoto` needs, once; before tests whose limits do not leave minutes for that. */
export async function prepareMoto(): Promise<void> {
  await motoEnvironment()
}

/** Its programs name the folder that they were installed in, which is another one: they are started as modules. */
const motoEnvironment = (): Promise<string> =>
  builtOnce(`moto-${MOTO_VERSION}`, async (folder) => {
    const { error, status } = spawnSync('python3', ['-m', 'venv', folder], { stdio: 'ignore' })
    if (error || status !== 0)
      throw new Problem(
        'moto, which stands in for AWS, runs in a Python environment, and none could be made.\n' +
          'Install Python (Debian and Ubuntu: apt-get install python3-venv).',
      )
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
    const { code, output } = await run(join(folder, 'bin', 'python'), [
      ...pip,
      `moto[server]==${MOTO_VERSION}`,
    ])
    if (code !== 0)
      throw new Problem(`pip could not install moto ${MOTO_VERSION}:\n${output.slice(0, 2_000)}`)
  })

function run(command: string, args: readonly string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output }))
  })
}

async function isReady(url: string, hasExited: () => boolean): Promise<boolean> {
  const deadlineMs = Date.now() + READY_LIMIT_MS
  while (Date.now() < deadlineMs && !hasExited()) {
    const response = await fetch(url).catch(() => null)
    await response?.body?.cancel()
    if (response?.ok) return true
    await wait(POLL_MS)
  }
  return false
}
