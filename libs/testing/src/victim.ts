import { createServer, type AddressInfo, type Server } from 'node:net'

/** Listens on loopback, by IPv4 and where there is one by IPv6, and counts who connects: nobody may. */
export class Victim {
  connections = 0
  private readonly servers: Server[] = []

  static async start(): Promise<Victim> {
    const victim = new Victim()
    const port = await victim.listen('127.0.0.1', 0)
    await victim.listen('::1', port)
    return victim
  }

  get port(): number {
    return (this.servers[0]?.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }

  private async listen(host: string, port: number): Promise<number> {
    const server = createServer((socket) => {
      this.connections++
      socket.on('error', () => undefined).destroy()
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) =>
        error.code === 'EADDRNOTAVAIL' || error.code === 'EAFNOSUPPORT' ? resolve() : reject(error),
      )
      server.listen(port, host, resolve)
    })
    if (!server.listening) return port
    this.servers.push(server)
    return (server.address() as AddressInfo).port
  }
}
