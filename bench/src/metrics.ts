import { request } from 'undici'

const TIMEOUT_MS = 5_000

/** Sum of a counter over all its labels, in Prometheus's text format; 0 when it has not counted yet. */
export function counterSum(text: string, name: string): number {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .map((line) =>
      Number(
        line
          .slice(line.lastIndexOf('}') + 1)
          .trim()
          .split(' ')
          .at(line.includes('}') ? 0 : 1),
      ),
    )
    .reduce((sum, value) => sum + value, 0)
}

/** The same, read from the app whose metrics are at `port`. */
export async function readCounter(port: number, name: string): Promise<number> {
  const answer = await request(`http://127.0.0.1:${port}/metrics`, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  return counterSum(await answer.body.text(), name)
}
