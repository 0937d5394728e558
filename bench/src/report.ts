import type { Machine } from './machine.js'
import type { IsolationFigures } from './isolation.js'
import type { Delivered, LatencyFigures, ThroughputFigures } from './measure.js'
import type { Latency, Throughput } from './statistics.js'

export interface Report {
  readonly startedAt: Date
  readonly machine: Machine
  readonly throughput: readonly ThroughputFigures[]
  readonly latency: LatencyFigures
  readonly isolation: IsolationFigures
  readonly raw: readonly { readonly inFlight: number; readonly throughput: Throughput }[]
}

/** The whole run as Markdown: it is what the terminal shows and what is kept. */
export function renderReport(report: Report): string {
  const { machine, startedAt } = report
  return [
    `## ${startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC, commit ${machine.commit}`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, ${machine.system}, Node ${machine.node.slice(1)}. ` +
      'Everything on this machine: apps, Kafka, PostgreSQL, load generator, receiver. 1 KB events, one webhook destination.',
    throughputTable(report),
    latencyTable(report.latency),
    isolationTable(report.isolation),
    cpuTable(report),
    ...remarks(report),
  ].join('\n\n')
}

function throughputTable({ throughput, raw }: Report): string {
  const rows = throughput.map((figures) => {
    const baseline = raw.find(({ inFlight }) => inFlight === figures.inFlight)?.throughput.perSecond
    const { perSecond } = figures.throughput
    return [
      String(figures.inFlight),
      whole(perSecond),
      whole(figures.acceptedPerSecond),
      whole(figures.backlog),
      baseline === undefined ? '–' : whole(baseline),
      baseline === undefined || perSecond === 0 ? '–' : `1 : ${(baseline / perSecond).toFixed(1)}`,
    ]
  })
  return table(
    ['in flight', 'received/s', 'accepted/s', 'backlog at the end', 'raw POST + HMAC/s', 'received : raw'],
    rows,
  )
}

function latencyTable({ ratePerSecond, dueToReceived, acceptedToReceived }: LatencyFigures): string {
  const row = (name: string, latency: Latency): string[] => [
    name,
    String(latency.samples),
    tenths(latency.p50Ms),
    tenths(latency.p99Ms),
    tenths(latency.p999Ms),
    tenths(latency.maxMs),
  ]
  return table(
    [`latency at ${ratePerSecond}/s, ms`, 'events', 'p50', 'p99', 'p99.9', 'max'],
    [row('publish due → received', dueToReceived), row('202 read → received', acceptedToReceived)],
  )
}

/** The ratio is what counts: how much later a healthy destination's events come because of its neighbour. */
function isolationTable(figures: IsolationFigures): string {
  const { ratePerSecond, alone, besideHealthy, besideBlackHole, missing } = figures
  const row = (name: string, latency: Latency): string[] => [
    name,
    String(latency.samples),
    tenths(latency.p50Ms),
    tenths(latency.p99Ms),
    tenths(latency.maxMs),
    `${(latency.p99Ms / besideHealthy.p99Ms).toFixed(2)}×`,
  ]
  const headings = [
    `202 read → received at ${ratePerSecond}/s, ms`,
    'events',
    'p50',
    'p99',
    'max',
    'p99 : healthy',
  ]
  const rows = [
    row('alone', alone),
    row('beside a healthy one of the same rate', besideHealthy),
    row('beside a black hole of the same rate', besideBlackHole),
  ]
  return `${table(headings, rows)}\n\nIsolation: ${missing} missing at the healthy destination.`
}

function cpuTable({ throughput, latency }: Report): string {
  const phases = [
    ...throughput.map(({ inFlight, cpuSeconds, accepted }) => ({
      name: `${inFlight} in flight`,
      cpuSeconds,
      accepted,
    })),
    { name: `${latency.ratePerSecond}/s`, cpuSeconds: latency.cpuSeconds, accepted: latency.accepted },
  ]
  const names = [...(phases[0]?.cpuSeconds.keys() ?? [])]
  const rows = names.map((name) => [
    name,
    ...phases.flatMap(({ cpuSeconds, accepted }) => cpuCells(cpuSeconds.get(name) ?? Number.NaN, accepted)),
  ])
  const totals = phases.flatMap(({ cpuSeconds, accepted }) =>
    cpuCells(
      [...cpuSeconds.values()].reduce((sum, seconds) => sum + seconds, 0),
      accepted,
    ),
  )
  const headings = phases.flatMap(({ name }) => [`CPU s, ${name}`, 'µs/event'])
  return table(['process', ...headings], [...rows, ['all', ...totals]])
}

const cpuCells = (seconds: number, events: number): string[] => [
  tenths(seconds),
  events === 0 ? '–' : whole((seconds * 1e6) / events),
]

function remarks({ throughput, latency }: Report): string[] {
  const phases: readonly (readonly [string, Delivered])[] = [
    ...throughput.map((figures) => [`${figures.inFlight} in flight`, figures] as const),
    [`${latency.ratePerSecond}/s`, latency],
  ]
  return phases.map(([name, { accepted, failed, failure, missing, duplicates, logBehindSeconds }]) => {
    const reason = failure === null ? '' : ` (first: ${failure})`
    const log = Number.isNaN(logBehindSeconds)
      ? 'the log did not catch up in time'
      : `the log had all of it ${logBehindSeconds.toFixed(1)} s after the last arrival`
    return `${name}: ${whole(accepted)} accepted, ${failed} failed${reason}, ${missing} missing, ${duplicates} duplicates; ${log}.`
  })
}

/** Markdown that is also aligned for a terminal: first column to the left, figures to the right. */
function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => pad(cell, column)).join(' | ')} |`
  const pad = (cell: string, column: number): string => {
    const width = widths[column] ?? 0
    return column === 0 ? cell.padEnd(width) : cell.padStart(width)
  }
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(headings), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n')
}

const whole = (value: number): string =>
  Number.isNaN(value) ? '–' : Math.round(value).toLocaleString('en-US')
const tenths = (value: number): string => (Number.isNaN(value) ? '–' : value.toFixed(1))
