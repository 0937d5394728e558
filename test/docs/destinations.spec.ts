import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import type { Catalogue, CatalogueField } from '../../libs/drivers/src/driver.js'
import { drivers } from '../../libs/drivers/src/registry.js'

const FILE = new URL('../../docs/destinations.md', import.meta.url)

const INTRODUCTION = `# Destination types

What the fields \`config\` and \`credentials\` of a destination hold, by its \`type\`. All values are strings; switches are \`"true"\` or \`"false"\`. Secrets are stored encrypted and never shown again. \`GET /api/v1/destination-types\` answers with the same, and with a guide for each type (\`setup.md\` beside each driver).

Fields that end in \`_template\` are [JMESPath](https://jmespath.org/specification.html) expressions over \`data\` (the event's data as JSON), \`metadata\` (the event's metadata and \`topic\`, \`attempt\`, \`timestamp\`, \`"event-id"\`, \`"event-time"\`, \`"delivery-id"\`, the ones with a dash in double quotes) and \`time\` (parts of the event's time: \`year\`, \`month\`, \`day\`, \`hour\`, \`minute\`, \`second\`, \`date\`, \`datetime\`, \`unix\`, \`rfc3339\`, \`rfc3339_nano\`).
`

/** Text as it stands in a cell of a table. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ')
const code = (text: string): string => (text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``)

/** What a value must be like, beside the meaning. */
function limits({ type, options, minlength, maxlength, pattern }: CatalogueField): string {
  if (options) return options.map(({ value }) => code(value)).join(', ')
  if (type === 'checkbox') return '`true`, `false`'
  const length = minlength === undefined ? `≤ ${maxlength}` : `${minlength}–${maxlength}`
  return [
    ...(type === 'key_value_map' ? ['JSON object of strings'] : []),
    ...(maxlength === undefined ? [] : [`${length} characters`]),
    ...(pattern === undefined || pattern === '^(?:[^]*)$' ? [] : [code(pattern)]),
  ].join(', ')
}

function row(half: string, field: CatalogueField): string {
  const { key, required, sensitive, description } = field
  const cells = [
    code(`${half}.${key}`),
    required ? 'yes' : 'no',
    field.default === undefined ? '' : code(field.default),
    limits(field),
    sensitive ? `${description} Secret.` : description,
  ]
  return `| ${cells.map(cell).join(' | ')} |`
}

function section({ type, label, description, config_fields, credential_fields }: Catalogue): string {
  const rows = [
    ...config_fields.map((field) => row('config', field)),
    ...credential_fields.map((field) => row('credentials', field)),
  ]
  return [
    `## ${code(type)}: ${label}`,
    '',
    description,
    '',
    '| field | required | default | values | meaning |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n')
}

/** The document as it follows from the drivers. */
const document = (): string =>
  [INTRODUCTION, ...drivers.map(({ catalogue }) => section(catalogue))].join('\n')

describe('docs/destinations.md', () => {
  it('says what the catalogue says (UPDATE_DOCS=1 writes it anew)', () => {
    if (process.env['UPDATE_DOCS']) writeFileSync(FILE, document())
    expect(readFileSync(FILE, 'utf8')).toBe(document())
  })

  it('has no cell that would end its row', () => {
    for (const line of document()
      .split('\n')
      .filter((one) => one.startsWith('|')))
      expect(line.replaceAll('\\|', '').split('|')).toHaveLength(7)
  })
})
