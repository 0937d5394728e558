import { freePort } from '../ports.js'
import { startTargetServer, type TargetServer } from './target-server.js'

/** Starts a Redis server on loopback that keeps its data in a file. `args`: further options, `--name value`. */
export async function startRedis(args: readonly string[] = []): Promise<TargetServer> {
  const port = await freePort()
  const fixed = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'yes']
  return startTargetServer({
    name: 'redis',
    port,
    command: 'redis-server',
    install: 'apt-get install redis-server',
    args: (folder) => [...fixed, '--dir', folder, ...args],
  })
}
