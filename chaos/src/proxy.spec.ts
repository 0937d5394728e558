import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { NO_TROUBLE, startProxy, type Proxy } from './proxy.js'

/** Bytes that do not fit into one piece. */
const LARGE_BYTES = 300_000

describe('Proxy', () => {
  let echo: Server
  let proxy: Proxy
  const sockets: Socket[] = []
  let chance = 1

  beforeEach(async () => {
    chance = 1
    echo = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.pipe(socket)
    })
    echo.listen(0, '127.0.0.1')
    await once(echo, 'listening')
    proxy = await startProxy(() => chance)
    proxy.forwardTo((echo.address() as AddressInfo).port)
  })

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    await proxy.stop()
    await new Promise((resolve) => echo.close(resolve))
  })

  async function open(): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port: proxy.port })
    sockets.push(socket)
    await once(socket, 'connect')
    return socket
  }

  async function echoed(socket: Socket, data: Buffer): Promise<Buffer> {
    const pieces: Buffer[] = []
    let bytes = 0
    socket.write(data)
    while (bytes < data.length) {
      const [piece] = (await once(socket, 'data')) as [Buffer]
      pieces.push(piece)
      bytes += piece.length
    }
    return Buffer.concat(pieces)
  }

  const numbered = (bytes: number): Buffer =>
    Buffer.from(Array.from({ length: bytes }, (_, index) => index % 251))

  it('passes everything on, both ways and in order', async () => {
    const data = numbered(LARGE_BYTES)
    expect((await echoed(await open(), data)).equals(data)).toBe(true)
  })

  it('keeps the order when a delay ends while data wait', async () => {
    const socket = await open()
    proxy.trouble({ ...NO_TROUBLE, delayMs: 50 })
    const data = numbered(LARGE_BYTES)
    const received = echoed(socket, data)
    setTimeout(() => proxy.trouble(NO_TROUBLE), 20)
    expect((await received).equals(data)).toBe(true)
  })

  it('delays each way', async () => {
    const socket = await open()
    proxy.trouble({ ...NO_TROUBLE, delayMs: 60 })
    const beganAtMs = performance.now()
    await echoed(socket, Buffer.from('x'))
    expect(performance.now() - beganAtMs).toBeGreaterThanOrEqual(120)
  })

  it('lets no more bytes a second pass than it is told', async () => {
    const socket = await open()
    proxy.trouble({ ...NO_TROUBLE, bytesPerSecond: 20_000 })
    const beganAtMs = performance.now()
    await echoed(socket, numbered(4_000))
    expect(performance.now() - beganAtMs).toBeGreaterThanOrEqual(200)
  })

  it('breaks a connection by chance, and counts it', async () => {
    const socket = await open()
    proxy.trouble({ ...NO_TROUBLE, resetShare: 0.01 })
    chance = 0.02
    await echoed(socket, Buffer.from('x'))
    chance = 0.005
    const broken = once(socket, 'error')
    socket.write('y')
    expect(await broken).toEqual([expect.objectContaining({ code: 'ECONNRESET' })])
    expect(proxy.resets).toBe(1)
  })
})
