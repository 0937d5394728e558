import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** What a worker process can be asked: input and output by name of the command. */
export type Commands = Record<string, { input: unknown; output: unknown }>

interface Request {
  readonly number: number
  readonly command: string
  readonly input: unknown
}

interface Answer {
  readonly number: number
  readonly output?: unknown
  readonly error?: string
}

/** A process of its own, so that load, receiver and the measured apps share no event loop. */
export class Worker<Known extends Commands> {
  private readonly waiting = new Map<
    number,
    { resolve: (output: never) => void; reject: (error: Error) => void }
  >()
  private next = 0

  private constructor(
    private readonly child: ChildProcess,
    readonly pid: number,
  ) {
    child.on('message', (answer: Answer) => this.settle(answer))
    child.on('exit', (code, signal) => this.fail(new Error(`a worker ended early (${signal ?? code})`)))
  }

  /** Starts the module at `file`, which must call `serve`. */
  static async start<Known extends Commands>(file: URL): Promise<Worker<Known>> {
    // Typed arrays travel as such with advanced serialization, as numbered objects without.
    const child = fork(file, { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    await once(child, 'spawn')
    if (child.pid === undefined) throw new Error('a worker has no process id')
    return new Worker<Known>(child, child.pid)
  }

  /** Rejects with the worker's message, or when it ended. */
  ask<Name extends keyof Known & string>(
    command: Name,
    input: Known[Name]['input'],
  ): Promise<Known[Name]['output']> {
    const request: Request = { number: this.next++, command, input }
    return new Promise((resolve, reject) => {
      this.waiting.set(request.number, { resolve, reject })
      this.child.send(request)
    })
  }

  /** Ends the process at once; safe to call twice. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const exited = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await exited
  }

  private settle({ number, output, error }: Answer): void {
    const waiting = this.waiting.get(number)
    this.waiting.delete(number)
    if (error === undefined) waiting?.resolve(output as never)
    else waiting?.reject(new Error(error))
  }

  private fail(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error)
    this.waiting.clear()
  }
}

/** The other side: answers each command by its handler, and ends when the parent does. */
export function serve<Known extends Commands>(handlers: {
  readonly [Name in keyof Known]: (
    input: Known[Name]['input'],
  ) => Promise<Known[Name]['output']> | Known[Name]['output']
}): void {
  process.on('disconnect', () => process.exit())
  // Ctrl-C reaches the whole group; the parent stops everything in order.
  process.on('SIGINT', () => undefined)
  process.on('message', ({ number, command, input }: Request) => {
    const handler = handlers[command]
    Promise.resolve()
      .then(() => handler?.(input))
      .then(
        (output) => process.send?.({ number, output } satisfies Answer),
        (error: unknown) => process.send?.({ number, error: String(error) } satisfies Answer),
      )
  })
}
