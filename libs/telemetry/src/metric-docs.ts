import { definitionOf, LABELS, METRICS, metricName, type LabelName, type MetricKey } from './metric-names.js'

const ALL_APPS = 5

/** The tables as Markdown: the metrics by who shows them, then the labels. */
export function documentMetrics(): string {
  const keysByApps = new Map<string, MetricKey[]>()
  for (const key of Object.keys(METRICS) as MetricKey[]) {
    const { apps } = definitionOf(key)
    const heading = apps.length === ALL_APPS ? 'Every app' : apps.join(', ')
    keysByApps.set(heading, [...(keysByApps.get(heading) ?? []), key])
  }
  const sections = [...keysByApps].map(([heading, keys]) =>
    [
      `## ${heading}`,
      '',
      '| Metric | Kind | Labels | Meaning |',
      '|---|---|---|---|',
      ...keys.map(row),
      '',
    ].join('\n'),
  )
  return [...sections, labels()].join('\n')
}

function row(key: MetricKey): string {
  const { kind, about, labels: names, buckets } = definitionOf(key)
  const edges = buckets ? ` Buckets from ${buckets[0]} to ${buckets.at(-1)}.` : ''
  return `| \`${metricName(key)}\` | ${kind} | ${names.map((name) => `\`${name}\``).join(', ') || 'none'} | ${about}${edges} |`
}

function labels(): string {
  const rows = (Object.keys(LABELS) as LabelName[]).map((name) => {
    const { about, ...rest } = LABELS[name]
    const values = 'values' in rest ? rest.values.map((value) => `\`${value}\``).join(', ') : ''
    return `| \`${name}\` | ${values} | ${about} |`
  })
  return ['## Labels', '', '| Label | Values | Meaning |', '|---|---|---|', ...rows, ''].join('\n')
}
