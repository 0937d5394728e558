/** A named condition; `ready` checks decide whether the process shall get work, `live` ones whether it lives, `worker` ones are for people. */
export interface HealthCheck {
  readonly name: string
  readonly kind: 'live' | 'ready' | 'worker'
  readonly isOk: () => boolean | Promise<boolean>
}

/** What one question was answered with. */
export interface HealthAnswer {
  readonly status: 'ok' | 'failing'
  readonly checks: Readonly<Record<string, 'ok' | 'failing'>>
}

/** Gathers the checks of a process. */
export class Health {
  private readonly checks: HealthCheck[] = []

  add(check: HealthCheck): void {
    this.checks.push(check)
  }

  async ask(kind: HealthCheck['kind']): Promise<HealthAnswer> {
    const asked = this.checks.filter((check) => check.kind === kind)
    const answers = await Promise.all(asked.map(async ({ name, isOk }) => [name, await holds(isOk)] as const))
    const isFine = answers.every(([, isOk]) => isOk)
    return {
      status: isFine ? 'ok' : 'failing',
      checks: Object.fromEntries(answers.map(([name, isOk]) => [name, isOk ? 'ok' : 'failing'])),
    }
  }
}

async function holds(isOk: HealthCheck['isOk']): Promise<boolean> {
  try {
    return await isOk()
  } catch {
    return false
  }
}

/** What is needed of Fastify; structural, so that this library does not depend on it. */
export interface HealthServer {
  get(path: string, handler: (request: unknown, reply: HealthReply) => Promise<unknown>): unknown
}

interface HealthReply {
  code(status: number): unknown
}

const OK = 200
const UNAVAILABLE = 503

/** Adds `GET /livez` and `GET /readyz`: 200 or 503, with each check's state. */
export function registerHealthRoutes(server: HealthServer, health: Health): void {
  const answer = (kind: HealthCheck['kind']) => async (_request: unknown, reply: HealthReply) => {
    const told = await health.ask(kind)
    reply.code(told.status === 'ok' ? OK : UNAVAILABLE)
    return told
  }
  server.get('/livez', answer('live'))
  server.get('/readyz', answer('ready'))
}
