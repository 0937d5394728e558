import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../ports.js'
import { startTargetServer, type TargetServer } from './target-server.js'

export interface NatsTarget extends TargetServer {
  /** Puts other lines in the place of those that it was started with, and tells it to read them. */
  configure(config: string): void
}

/** Starts a NATS server with JetStream on loopback. `config`: further lines of its configuration file. */
export async function startNats(config = ''): Promise<NatsTarget> {
  const port = await freePort()
  let lines = config
  let folder = ''
  const write = (): string => {
    const file = join(folder, 'nats.conf')
    const store = JSON.stringify(join(folder, 'store'))
    writeFileSync(file, `listen: "127.0.0.1:${port}"\njetstream { store_dir: ${store} }\n${lines}\n`)
    return file
  }
  const server = await startTargetServer({
    name: 'nats',
    port,
    command: 'nats-server',
    install: 'apt-get install nats-server',
    args: (own) => {
      folder = own
      return ['-c', write()]
    },
  })
  return {
    ...server,
    configure: (next) => {
      lines = next
      write()
      server.reload()
    },
  }
}
