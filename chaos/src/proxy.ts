import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** How a network is bad. */
export interface Trouble {
  /** Added on each way, milliseconds. */
  readonly delayMs: number
  /** Chance that a piece of data (as it is read) breaks its connection instead of arriving, 0 … 1. */
  readonly resetShare: number
  /** Bytes per second, connection and direction; null = no limit. */
  readonly bytesPerSecond: number | null
}

export const NO_TROUBLE: Trouble = { delayMs: 0, resetShare: 0, bytesPerSecond: null }

/** A TCP proxy on loopback that can be told to be a bad network. */
export interface Proxy {
  readonly port: number
  /** Connections are refused before this was called. */
  forwardTo(port: number): void
  /** Holds for new data of all connections, old ones too. */
  trouble(trouble: Trouble): void
  /** Connections that were broken on purpose. */
  readonly resets: number
  stop(): Promise<void>
}

const LOOPBACK = '127.0.0.1'
const MS_PER_SECOND = 1_000

interface State {
  target: number
  trouble: Trouble
  resets: number
}

/** `random` yields 0 … 1. */
export async function startProxy(random: () => number = Math.random): Promise<Proxy> {
  const state: State = { target: 0, trouble: NO_TROUBLE, resets: 0 }
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect({ host: LOOPBACK, port: state.target, noDelay: true })
    client.setNoDelay(true)
    const breakBoth = (): void => {
      client.resetAndDestroy()
      upstream.resetAndDestroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', breakBoth)
      socket.on('close', () => sockets.delete(socket))
    }
    const onReset = (): void => {
      state.resets++
      breakBoth()
    }
    relay({ from: client, to: upstream, state, random, onReset })
    relay({ from: upstream, to: client, state, random, onReset })
  })
  await listen(server)
  return {
    port: (server.address() as AddressInfo).port,
    forwardTo: (port) => void (state.target = port),
    trouble: (trouble) => void (state.trouble = trouble),
    get resets() {
      return state.resets
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

const listen = (server: Server): Promise<void> =>
  new Promise((resolve) => server.listen(0, LOOPBACK, () => resolve()))

interface Way {
  readonly from: Socket
  readonly to: Socket
  readonly state: State
  readonly random: () => number
  readonly onReset: () => void
}

/** One direction: a piece leaves when the one before it has left, its size is paid for, and the delay is over. */
function relay({ from, to, state, random, onReset }: Way): void {
  const queue: { readonly atMs: number; readonly leave: () => void }[] = []
  let freeAtMs = 0
  let timer: NodeJS.Timeout | null = null
  const drain = (): void => {
    timer = null
    for (let [head] = queue; head; [head] = queue) {
      const waitMs = head.atMs - performance.now()
      if (waitMs > 0) {
        timer = setTimeout(drain, Math.ceil(waitMs))
        return
      }
      queue.shift()
      head.leave()
    }
  }
  const enqueue = (bytes: number, leave: () => void): void => {
    const { delayMs, bytesPerSecond } = state.trouble
    const spentMs = bytesPerSecond === null ? 0 : (bytes / bytesPerSecond) * MS_PER_SECOND
    freeAtMs = Math.max(freeAtMs, performance.now()) + spentMs
    queue.push({ atMs: freeAtMs + delayMs, leave })
    if (!timer) drain()
  }
  from.on('data', (piece: Buffer) => {
    if (random() < state.trouble.resetShare) return onReset()
    const isPaced = state.trouble.bytesPerSecond !== null
    // What is paced must not pile up here: the sender is to feel it.
    if (isPaced) from.pause()
    enqueue(piece.length, () => {
      if (isPaced) from.resume()
      if (!to.destroyed) to.write(piece)
    })
  })
  from.on('end', () => enqueue(0, () => void to.end()))
}
