import type { Api, Attempt } from './api.js'

/** Answers with what is worth knowing of a failure, as lines for people. */
export type Teller = () => Promise<string>

/** Read by telling-environment.mjs, from outside of the tests' world. */
const TELLERS = Symbol.for('barnabas.tellers')

/** Until the answer is called, each test that fails is followed by the story, on standard error. */
export function tellOnFailure(tell: Teller): () => void {
  const world = globalThis as { [TELLERS]?: Set<Teller> }
  const tellers = (world[TELLERS] ??= new Set())
  tellers.add(tell)
  return () => tellers.delete(tell)
}

/** Enough for the last seconds of an app that is not under load. */
const KEPT_LINES = 40
/** The head of a line names the step and the time; stacks go on for pages. */
const SHOWN_CHARACTERS = 320

/** The last lines of each app, cut to what is read. */
export class LastLines {
  private readonly linesByApp = new Map<string, string[]>()

  add(app: string, line: string): void {
    const lines = this.linesByApp.get(app) ?? []
    this.linesByApp.set(app, lines)
    lines.push(line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}…` : line)
    if (lines.length > KEPT_LINES) lines.shift()
  }

  toString(): string {
    return [...this.linesByApp]
      .map(([app, lines]) => lines.map((line) => `    ${app} ${line}`).join('\n'))
      .join('\n')
  }
}

/** A test that fails has seldom published more, or it is about many and says so itself. */
const SHOWN_EVENTS = 4
const SHOWN_ATTEMPTS = 12

type Logged = Attempt & { readonly duration_ms?: number }

/** What the log knows of the events that were published last: where each delivery stands, and its attempts. */
export async function storyOfEvents(
  api: Pick<Api, 'get' | 'attempts'>,
  eventIds: readonly string[],
): Promise<string> {
  const stories = await Promise.all(eventIds.slice(-SHOWN_EVENTS).map((id) => storyOf(api, id)))
  return stories.join('\n')
}

async function storyOf(api: Pick<Api, 'get' | 'attempts'>, id: string): Promise<string> {
  const { status, body } = await api.get<{ deliveries?: unknown }>(`/events/${id}`)
  const head = `    ${id} ${status === 200 ? JSON.stringify(body.deliveries) : `answered ${status}`}`
  const attempts = (await api.attempts(`event_id=${id}`)) as Logged[]
  return [head, ...attempts.slice(-SHOWN_ATTEMPTS).map(lineOf)].join('\n')
}

const lineOf = ({
  attempt_number,
  destination_id,
  time,
  code,
  duration_ms,
  next_attempt_at,
}: Logged): string =>
  `      attempt ${attempt_number} to ${destination_id} at ${time}: ${code} after ${duration_ms} ms, ` +
  `next ${next_attempt_at === null ? 'none' : `at ${next_attempt_at}`}`
