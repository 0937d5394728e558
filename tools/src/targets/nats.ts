import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../ports.js'
import { startTargetServer, type TargetServer } from './target-server.js'

/** Starts a NATS server with JetStream on loopback. `config`: further lines of its configuration file. */
export async function startNats(config = ''): Promise<TargetServer> {
  const port = await freePort()
  return startTargetServer({
    name: 'nats',
    port,
    command: 'nats-server',
    install: 'apt-get install nats-server',
    args: (folder) => {
      const file = join(folder, 'nats.conf')
      const store = JSON.stringify(join(folder, 'store'))
      writeFileSync(file, `listen: "127.0.0.1:${port}"\njetstream { store_dir: ${store} }\n${config}\n`)
      return ['-c', file]
    },
  })
}
