/** One line of Prometheus's text format. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface MetricsText {
  /** By the name of the family: `counter`, `gauge` or `histogram`. */
  readonly kindByName: ReadonlyMap<string, string>
  readonly samples: readonly Sample[]
  /** Sum of the samples of this name that have these labels; 0 when there is none. */
  readonly total: (name: string, labels?: Readonly<Record<string, string>>) => number
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"(?:,|$)/y
const HISTOGRAM_PARTS = /_(bucket|sum|count)$/

/** Reads Prometheus's text format (version 0.0.4) strictly: throws at the first line that is not of it. */
export function parseMetrics(text: string): MetricsText {
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  const kindByName = new Map<string, string>()
  const samples: Sample[] = []
  for (const line of text.split('\n')) {
    const [, name, kind] = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line) ?? []
    if (name && kind) {
      if (kindByName.has(name)) throw new Error(`two families are called ${name}`)
      kindByName.set(name, kind)
    } else if (line !== '' && !/^# (HELP|UNIT) \S+ \S/.test(line)) samples.push(parseSample(line, kindByName))
  }
  const total: MetricsText['total'] = (name, labels = {}) => {
    const wanted = Object.entries(labels)
    const found = samples.filter(
      (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
    )
    return found.reduce((sum, { value }) => sum + value, 0)
  }
  return { kindByName, samples, total }
}

function parseSample(line: string, kindByName: ReadonlyMap<string, string>): Sample {
  const [, name, labelText = '', valueText = ''] = SAMPLE.exec(line) ?? []
  const value = valueText === '+Inf' ? Infinity : Number(valueText)
  if (!name || Number.isNaN(value)) throw new Error(`not a sample: ${line}`)
  if (!kindByName.has(name) && kindByName.get(name.replace(HISTOGRAM_PARTS, '')) !== 'histogram')
    throw new Error(`no TYPE stands before ${name}`)
  return { name, labels: parseLabels(labelText, line), value }
}

function parseLabels(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  for (let at = 0; at < text.length; at = LABEL.lastIndex) {
    const [, name, value] = LABEL.exec(text) ?? []
    if (name === undefined || value === undefined) throw new Error(`labels that cannot be read: ${line}`)
    if (name in labels) throw new Error(`a label twice: ${line}`)
    labels[name] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
  }
  return labels
}
