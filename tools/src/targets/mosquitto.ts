import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../ports.js'
import { startTargetServer, type TargetServer } from './target-server.js'

export interface MosquittoOptions {
  /** User → password; everybody may connect unless given. */
  readonly users?: Readonly<Record<string, string>>
  /** Lines of its access control file. */
  readonly acl?: string
  /** Further lines of the configuration. */
  readonly config?: string
}

export interface MosquittoTarget extends TargetServer {
  /** Puts other options in the place of those that it was started with; it reads users and access control anew. */
  configure(options: MosquittoOptions): void
}

/** Starts a Mosquitto broker on loopback that keeps nothing on disk. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<MosquittoTarget> {
  const port = await freePort()
  let current = options
  let folder = ''
  const write = (): string => {
    const file = join(folder, 'mosquitto.conf')
    writeFileSync(file, configOf(folder, port, current))
    return file
  }
  const server = await startTargetServer({
    name: 'mosquitto',
    port,
    command: 'mosquitto',
    install: 'apt-get install mosquitto',
    args: (own) => {
      folder = own
      return ['-c', write()]
    },
  })
  return {
    ...server,
    configure: (next) => {
      current = next
      write()
      server.reload()
    },
  }
}

function configOf(folder: string, port: number, { users, acl, config = '' }: MosquittoOptions): string {
  // Else it becomes another user when root starts it, who may not read these files.
  const lines = [`listener ${port} 127.0.0.1`, 'persistence false', 'user root', config]
  if (users === undefined) lines.push('allow_anonymous true')
  else {
    const file = join(folder, 'passwords')
    writeFileSync(file, '', { mode: 0o600 })
    for (const [user, password] of Object.entries(users))
      execFileSync('mosquitto_passwd', ['-b', file, user, password])
    lines.push('allow_anonymous false', `password_file ${file}`)
  }
  if (acl !== undefined) {
    writeFileSync(join(folder, 'acl'), acl, { mode: 0o600 })
    lines.push(`acl_file ${join(folder, 'acl')}`)
  }
  return `${lines.join('\n')}\n`
}
